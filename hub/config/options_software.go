package config

// softwareOptions say where a server's programs come from.
func softwareOptions() []row[Policy] {
	return []row[Policy]{
		option("root_directory", text, "", func(p *Policy) *string { return &p.RootDirectory },
			"A tree of root's that servers see in the place of the machine's own (RootDirectory=), such as debootstrap makes; cmd is looked up in it.",
			emptyOr(absolute)).
			note("The home directory, jupyterhub-exec and, for names, passwd, group, hosts, localtime and resolv.conf of /etc are shown in it. " +
				"Whoever can change it runs programs as every user: it, and every directory above it, must be root's."),
		option("root_image", text, "", func(p *Policy) *string { return &p.RootImage },
			"The same from an image of a file system, squashfs or ext4 (RootImage=), with or without partitions; cmd is a whole path in it.", emptyOr(absolute)).
			note("An image that cannot be written has the places where things are shown: /etc with the files named above, the parent of home " +
				"directories, /run, /tmp, and jupyterhub-exec's own path. It needs loop devices."),
		option("extension_directories", texts, nil, func(p *Policy) *[]string { return &p.ExtensionDirectories },
			"Trees whose /usr and /opt are laid over those that servers see (ExtensionDirectories=), each with an extension-release file.", every(absolute)).
			note("See systemd-sysext(8). Where cmd is found in none of search_path, it is a whole path in one of them."),
		option("extension_images", texts, nil, func(p *Policy) *[]string { return &p.ExtensionImages },
			"The same from images (ExtensionImages=).", every(absolute)),
	}
}
