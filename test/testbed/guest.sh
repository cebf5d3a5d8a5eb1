# The first program of a guest, a machine with a kernel of its own. The kernel is User Mode Linux; what it sees as its root is the
# host's file system (hostfs), read-only. This puts a layer above it, as inside.sh does, and becomes its systemd.
#
#   $1  directory of the guest, which is the only thing of the host that it can write to: as /run/host
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
guest=$1 root=/mnt/root
. "$guest/plain.sh"

mount -t proc proc /proc
for module in fs/fuse/fuse fs/overlayfs/overlay fs/quota/quota_tree fs/quota/quota_v2 drivers/block/loop; do
	insmod "/usr/lib/uml/modules/$(uname -r)/kernel/$module.ko"
done
mount -t tmpfs -o mode=755 tmpfs /mnt
mkdir /mnt/upper /mnt/work "$root"
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work "$root"

mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 -o nsdelegate,memory_recursiveprot cgroup2 "$root/sys/fs/cgroup"
mount -t devtmpfs devtmpfs "$root/dev"
mkdir -p "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o ptmxmode=0666,mode=620 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mkdir -p "$root/run/host" "$root/usr/src/jupyterhub"
mount -t hostfs -o "$guest" hostfs "$root/run/host"
mount --bind "$(readlink "$guest/source")" "$root/usr/src/jupyterhub"

# Disks, so that memory can be swapped out, and reading and writing of homes is counted and has quotas.
mkswap --quiet "$root/dev/ubda"
swapon "$root/dev/ubda"
mkfs.ext4 -q -O quota "$root/dev/ubdb"
mount -o usrquota "$root/dev/ubdb" "$root/home"

enter_root
plain_machine
cat >/etc/systemd/system/guest.service <<END
[Unit]
Description=What this guest was booted for
After=dbus.service systemd-logind.service systemd-user-sessions.service

[Service]
Type=exec
WorkingDirectory=-/usr/src/jupyterhub/$(cat /run/host/directory)
ExecStart=xargs --null --arg-file=/run/host/arguments /run/host/program
ExecStopPost=sh -c 'echo \$SERVICE_RESULT >/run/host/result; sync; systemctl poweroff --force --force'
Environment=HOME=/root
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
END
mkdir /etc/systemd/system/multi-user.target.wants
ln -s ../guest.service /etc/systemd/system/multi-user.target.wants/
stty -F /dev/ttyS0 raw
touch /run/guest

exec env -i container=testbed LANG=C.UTF-8 TERM=dumb CACHE="$(cat /run/host/cache)" \
	PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
	/lib/systemd/systemd --system --log-target=journal --show-status=no
