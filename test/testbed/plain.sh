# What the first programs of a bed and of a guest have in common.

# Leaves the file system that the machine was made from, and goes to $root.
enter_root() {
	mkdir -p "$root/.host"
	cd "$root"
	pivot_root . .host
	umount -l /.host
	rmdir /.host
	# As systemd-nspawn leaves it: with a private root, units would not see their credentials.
	mount --make-rshared /
	hostname testbed
	ip link set lo up
}

# A plain machine: none of the host's own units, mounts and first-boot work, and nothing that is for hardware.
plain_machine() {
	rm -rf /etc/systemd/system /etc/rc?.d /var/log/journal
	mkdir -p /etc/systemd/system /var/log/journal
	: >/etc/fstab
	echo testbed >/etc/hostname
	tr -d - </proc/sys/kernel/random/uuid >/etc/machine-id
	touch -r /usr /etc/.updated /var/.updated
	ln -s /lib/systemd/system/multi-user.target /etc/systemd/system/default.target
	for u in getty.target proc-sys-fs-binfmt_misc.automount systemd-binfmt.service systemd-journald-audit.socket \
		systemd-modules-load.service systemd-repart.service systemd-sysctl.service systemd-udevd-control.socket \
		systemd-udevd-kernel.socket systemd-udevd.service; do
		ln -s /dev/null "/etc/systemd/system/$u"
	done
	touch /etc/bed
}
