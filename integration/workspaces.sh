# Makes this session a Linux machine of the domain: joined, with D-Bus and certmonger. The namespaces end what it starts.
cd "$WORK"
mount -t proc proc /proc
mkdir -p machine/{private,state,cache,lock,certmonger/{cas,requests,local}} shadow
mkdir -p /run/dbus
mount -t tmpfs tmpfs /run/dbus
mount --bind machine/certmonger /var/lib/certmonger
# A machine has its keytab, trust store and krb5.conf in /etc, which is not the test's to write to; certmonger passes no environment on.
cat >shadow/cepces-submit <<C
#!/bin/bash
export KRB5_CONFIG=$KRB5_CONFIG KRB5_KTNAME=$WORK/machine/krb5.keytab SSL_CERT_FILE=$WORK/$TRUSTED
exec -a cepces-submit $BIN/rolecall-ad "\$@"
C
printf '#!/bin/sh\nexit 0\n' >shadow/update-ca-certificates # this machine's trust store is not the test's
chmod +x shadow/*
cat >"$MACHINE_CONF" <<C
[global]
 workgroup = $NETBIOS
 realm = $REALM
 security = ads
 netbios name = $MACHINE
 private dir = $WORK/machine/private
 state directory = $WORK/machine/state
 cache directory = $WORK/machine/cache
 lock directory = $WORK/machine/lock
 pid directory = $WORK/machine/lock
 log file = $WORK/machine/log.%m
 kerberos method = dedicated keytab
 dedicated keytab file = $WORK/machine/krb5.keytab
 interfaces = $MACHINE_ADDRESS
C
mount -t tmpfs tmpfs /run/samba # not the domain controller's own winbindd
net ads join -s "$MACHINE_CONF" -U "${ADMIN%%@*}%$(cat "$ADMIN_PASSWORD_FILE")" --no-dns-updates
net ads keytab create -s "$MACHINE_CONF" -P
dbus-daemon --system --nofork --nopidfile >machine/dbus.log 2>&1 &
for _ in $(seq 200); do [ -S /run/dbus/system_bus_socket ] && break; sleep 0.02; done
certmonger -n -d 1 >certmonger.log 2>&1 &
for _ in $(seq 200); do getcert list-cas >/dev/null 2>&1 && break; sleep 0.05; done
getcert list-cas >/dev/null
