# The first program of a bed: makes this machine's file system, with a layer of its own above it, into the root of a
# throw-away machine, and becomes its systemd. It runs as process 1 of the bed's namespaces.
#
#   $1  directory of the bed. On its machine/ stands a tmpfs that only the bed sees; it outlives a reboot of the bed
#   $2  this project's source
#   $3  directory of the Python environments
#   $4  cgroup v1 hierarchies, as /proc/self/cgroup spells them: "cpu,cpuacct memory pids"; empty for cgroup v2
bed=$1 source=$2 cache=$3 hierarchies=$4
root=$bed/machine/root
. "$bed/plain.sh"
exec 3<&- 4<&-

mkdir -p "$bed/machine/upper" "$bed/machine/work" "$root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$bed/machine/upper,workdir=$bed/machine/work" "$root"

# Kernel interfaces of its own. What would change the host is read-only: sysctls, sysrq, sysfs.
mount -t proc proc "$root/proc"
for p in sys sysrq-trigger; do
	[ -e "$root/proc/$p" ] || continue
	mount --bind "$root/proc/$p" "$root/proc/$p"
	mount -o remount,bind,ro "$root/proc/$p"
done
cat /proc/sys/kernel/random/uuid >"$bed/machine/boot_id"
mount --bind "$bed/machine/boot_id" "$root/proc/sys/kernel/random/boot_id" # of each boot its own, as on a real machine
mount -t sysfs -o ro sysfs "$root/sys"

mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for n in null zero full random urandom tty fuse autofs; do
	[ -e "/dev/$n" ] || continue
	: >"$root/dev/$n"
	mount --bind "/dev/$n" "$root/dev/$n"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
ln -s fd/0 "$root/dev/stdin"
ln -s fd/1 "$root/dev/stdout"
ln -s fd/2 "$root/dev/stderr"

mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"

# The controllers, writable, so that limits really bind.
if [ -n "$hierarchies" ]; then
	mount -t tmpfs -o mode=755 tmpfs "$root/sys/fs/cgroup"
	for h in $hierarchies; do
		mkdir "$root/sys/fs/cgroup/$h"
		mount -t cgroup -o "$h" cgroup "$root/sys/fs/cgroup/$h"
		case $h in
		*,*) for c in $(echo "$h" | tr , ' '); do ln -s "$h" "$root/sys/fs/cgroup/$c"; done ;;
		esac
	done
	mkdir "$root/sys/fs/cgroup/systemd"
	mount -t cgroup -o none,name=systemd cgroup "$root/sys/fs/cgroup/systemd"
else
	mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
fi

# These may lie on other file systems than /, which the overlay leaves out.
bind_read_only() {
	mkdir -p "$2"
	mount --bind "$1" "$2"
	mount -o remount,bind,ro "$2"
}
bind_read_only "$source" "$root/usr/src/jupyterhub"
[ ! -d "$cache" ] || bind_read_only "$cache" "$root$cache"

# systemd says READY=1 here once it has booted.
mkdir -p "$root/run/host"
: >"$root/run/host/notify"
mount --bind "$bed/notify" "$root/run/host/notify"

enter_root
[ -e /etc/bed ] || plain_machine

# Without the capabilities that reach through every namespace, to the kernel and the clock. enter.go says the same.
exec setpriv --bounding-set=-sys_module,-sys_rawio,-sys_time env -i \
	container=testbed LANG=C.UTF-8 NOTIFY_SOCKET=/run/host/notify \
	PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb \
	/lib/systemd/systemd --system --log-target=journal --show-status=no
