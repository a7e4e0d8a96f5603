# Makes a Samba domain in $1 and runs its controller. It is the first process of its own network, mount and process
# namespaces; `up` appears when the controller answers, `failed` when it does not.
set -euo pipefail
dir=$1 dc=10.53.57.10 ca=10.53.57.20
trap 'touch "$dir/failed"' EXIT
export KRB5_CONFIG=$dir/krb5.conf HOME=$dir TMPDIR=$dir

ip link set lo up
ip addr add $dc/32 dev lo
ip addr add $ca/32 dev lo
printf 'nameserver %s\nsearch corp.example.com\n' $dc >"$dir/resolv.conf"
printf '127.0.0.1 localhost\n%s dc1.corp.example.com dc1\n%s ca.corp.example.com rc4.corp.example.com pki.corp.example.com ca\n' $dc $ca >"$dir/hosts"
mount --bind "$dir/resolv.conf" "$(realpath /etc/resolv.conf)"
mount --bind "$dir/hosts" /etc/hosts
# The path of winbindd's socket is compiled in, and SMB fails without it.
mkdir -p /run/samba
mount -t tmpfs tmpfs /run/samba

: >"$dir/empty.conf"
samba-tool domain provision -s "$dir/empty.conf" --targetdir="$dir/dc" --realm=CORP.EXAMPLE.COM --domain=CORP --server-role=dc \
	--dns-backend=SAMBA_INTERNAL --adminpass='Passw0rd!adm' --host-name=dc1 --host-ip=$dc \
	--option="interfaces=$dc" --option='bind interfaces only=yes'
# No forwarder: it would be this server itself. The services left out do nothing for the tests.
sed -i -e "/dns forwarder/d" -e "/^\[global\]/a\\
	pid directory = $dir/dc\\
	ncalrpc dir = $dir/dc/ncalrpc\\
	ntp signd socket directory = $dir/dc/ntp_signd\\
	log file = $dir/dc/samba.log\\
	dns update command = /bin/true\\
	server services = -dnsupdate -nbt -wrepl -drepl -ntp_signd\\
	tls keyfile = $dir/key.pem\\
	tls certfile = $dir/cert.pem\\
	tls cafile = $dir/cert.pem" "$dir/dc/etc/smb.conf"
# In one process, straight into the database: a samba-tool call each would cost seconds.
/usr/bin/python3 "$dir/objects.py" "$dir"

samba -F --no-process-group -M single -s "$dir/dc/etc/smb.conf" &
for _ in $(seq 1 600); do
	kill -0 $!
	if [ -S /run/samba/winbindd/pipe ] && (exec 3<>/dev/tcp/$dc/636 4<>/dev/tcp/$dc/88 5<>/dev/tcp/$dc/445) 2>/dev/null; then
		touch "$dir/up"
		break
	fi
	sleep 0.05
done
wait $!
