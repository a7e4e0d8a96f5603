# The domain's accounts, written into its database before the controller starts.
import sys

import ldb
import samba.dckeytab  # adds Net.export_keytab
from samba.auth import system_session
from samba.credentials import Credentials
from samba.dsdb import GTYPE_SECURITY_DOMAIN_LOCAL_GROUP, UF_ACCOUNTDISABLE, UF_NORMAL_ACCOUNT, UF_WORKSTATION_TRUST_ACCOUNT
from samba.net import Net
from samba.param import LoadParm
from samba.samdb import SamDB

folder = sys.argv[1]
AES = "24"

lp = LoadParm()
lp.load(folder + "/dc/etc/smb.conf")
db = SamDB(lp=lp, session_info=system_session(), url=lp.samdb_url())
base = str(db.domain_dn())


def dn(sam):
    return db.search(base=base, expression="(sAMAccountName=%s)" % sam, attrs=["dn"])[0].dn


def change(sam, **values):
    m = ldb.Message()
    m.dn = dn(sam)
    for name, value in values.items():
        name = name.replace("_", "-")
        m[name] = ldb.MessageElement(value, ldb.FLAG_MOD_REPLACE, name)
    db.modify(m)


people = {"alice": ("Alice", "Liddell"), "bob": ("Bob", "Stone"), "dora": ("Dora", "Gone")}
for name in ("alice", "bob", "dora", "svc-rolecall", "svc-rc4"):
    given, sn = people.get(name, (None, None))
    mail = name + "@corp.example.com" if given else None
    db.newuser(name, "Passw0rd!" + name, givenname=given, surname=sn, mailaddress=mail, useusernameascn=True)
    db.setexpiry("(sAMAccountName=%s)" % name, 0, True)
change("alice", userPrincipalName="alice.liddell@corp.example.com")
change("dora", userAccountControl=str(UF_NORMAL_ACCOUNT | UF_ACCOUNTDISABLE))

for group in ("CertUsers", "Nested"):
    db.newgroup(group)
db.newgroup("LocalCertGroup", grouptype=GTYPE_SECURITY_DOMAIN_LOCAL_GROUP)
db.add_remove_group_members("CertUsers", ["alice"], add_members_operation=True)
db.add_remove_group_members("Nested", ["CertUsers"], add_members_operation=True)
db.add_remove_group_members("LocalCertGroup", ["CertUsers"], add_members_operation=True)

# RPCSS stands for another service of the same account, with the same keys.
change("svc-rolecall", servicePrincipalName=["HTTP/ca.corp.example.com", "RPCSS/ca.corp.example.com"], msDS_SupportedEncryptionTypes=AES)
change("svc-rc4", servicePrincipalName=["HTTP/rc4.corp.example.com"])  # without encryption types: RC4

db.newcomputer("WS2")
db.setpassword("(sAMAccountName=WS2$)", "Passw0rd!ws2", username="WS2$")
change("WS2$", dNSHostName="ws2.corp.example.com", servicePrincipalName=["HOST/ws2.corp.example.com", "HOST/WS2"],
       userAccountControl=str(UF_WORKSTATION_TRUST_ACCOUNT), msDS_SupportedEncryptionTypes=AES)

# What the controller's own update service, which is off, would add.
have = [str(v) for v in db.search(base=dn("DC1$"), scope=ldb.SCOPE_BASE, attrs=["servicePrincipalName"])[0]["servicePrincipalName"]]
change("DC1$", servicePrincipalName=have + ["ldap/dc1.corp.example.com", "ldap/dc1.corp.example.com/corp.example.com", "ldap/DC1",
                                            "GC/dc1.corp.example.com/corp.example.com"])

net = Net(Credentials(), lp)
for principal, name in (("HTTP/ca.corp.example.com", "http"), ("RPCSS/ca.corp.example.com", "http"), ("HTTP/rc4.corp.example.com", "rc4"),
                        ("WS2$", "ws2"), ("alice", "alice"), ("bob", "bob")):
    net.export_keytab(keytab="%s/%s.keytab" % (folder, name), principal=principal)
