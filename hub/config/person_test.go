package config

import (
	"errors"
	"testing"
)

// What says as whom servers run, and from which tree, is refused where it would say nothing, two things, or too much.
func TestMistakesAboutPersonsAndTrees(t *testing.T) {
	for text, want := range map[string]string{
		"[authenticator]\nusername_map = { alice = \"carol\", bob = \"carol\" }":             `authenticator.username_map: calls both "alice" and "bob" "carol"; every account is a user of its own: give one of them another name`,
		"[authenticator]\nusername_map = { alice = \"a/b\" }":                                "authenticator.username_map: holds \"a/b\", which is no account or group name; it wants one as `getent` prints it",
		"[spawner]\nusername_template = \"course\"":                                          `spawner.username_template: is "course", one account for everybody; add {USERNAME}, or write it in [spawner.user.NAME]`,
		"[spawner]\nusername_template = \"{home}\"":                                          `spawner.username_template: is "{home}"; it knows {USERNAME} alone`,
		"[spawner.group.g]\nusername_template = \"x-{USERNAME}\"":                            "spawner.group.g.username_template: has a meaning in [spawner] and [spawner.user.NAME] alone; move it there",
		"[[spawner.profile]]\nname = \"p\"\ndynamic_users = true":                            "spawner.profile.p.dynamic_users: has a meaning in [spawner] and [spawner.user.NAME] alone; move it there",
		"[spawner]\nroot_image = \"/a\"\nroot_directory = \"/b\"":                            "spawner.root_image: is set, and so is root_directory; servers see one of them: remove the other",
		"[spawner.user.u]\nroot_image = \"/a\"\nroot_directory = \"/b\"":                     "spawner.user.u.root_image: is set, and so is root_directory; servers see one of them: remove the other",
		"[authenticator]\nguest_users = [\"*\"]":                                             `authenticator.guest_users: entry "*" is no name of guests; it wants small letters, digits and . _ @ -, and at most one *, such as "guest-*" or "*@guests.example.org"`,
		"[authenticator]\nguest_users = [\"Guest-*\"]":                                       `authenticator.guest_users: entry "Guest-*" is no name of guests; it wants small letters, digits and . _ @ -, and at most one *, such as "guest-*" or "*@guests.example.org"`,
		"[spawner]\nunit_name_template = \"jupyter-{USERNAME}{SERVERNAME}\"":                 `spawner.unit_name_template: is "jupyter-{USERNAME}{SERVERNAME}"; two servers could have one unit: put a "-" between what it leaves open`,
		"[spawner]\nunit_name_template = \"lab-{USERNAME}\"":                                 `spawner.unit_name_template: is "lab-{USERNAME}"; it has to begin with "jupyter-": that is how servers' units are told from others`,
		"[spawner.group.g]\nunit_name_template = \"jupyter-{USERNAME}\"":                     "spawner.group.g.unit_name_template: cannot be set for a group, a user or a profile; it belongs in [spawner]",
		"[spawner]\nextra_paths = [\"/srv/{USERID}\"]":                                       "spawner.extra_paths: holds {USERID}, a number of JupyterHub's database, which is not here; write {USERNAME}, {account} or {home}",
		"[spawner.user.u]\nunit_extra_properties = { BindPaths = [\"/srv/{USERID}:/mnt\"] }": "spawner.user.u.unit_extra_properties: holds {USERID}, a number of JupyterHub's database, which is not here; write {USERNAME}, {account} or {home}",
		"[spawner]\nroot_image = \"a\"":                                                      `spawner.root_image: is no absolute path; it wants one such as "/etc/ssl/private/hub.pem"`,
	} {
		_, err := Load(etc(t, map[string]string{MainFile: text}))
		var mistakes Mistakes
		if !errors.As(err, &mistakes) || len(mistakes) != 1 || mistakes[0].Key+": "+mistakes[0].Text != want {
			t.Errorf("%s\nis told %v, want %s", text, err, want)
		}
	}
}

// A later table's tree takes the place of an earlier one's, be it a directory or an image.
func TestOneTreeTakesThePlaceOfTheOther(t *testing.T) {
	c, err := Load(etc(t, map[string]string{MainFile: `
[spawner]
root_image = "/srv/a.raw"
[spawner.user.alice]
root_directory = "/srv/b"
[spawner.user.bob]
username_template = "one-for-bob"
mem_limit = "1G"
`}))
	if err != nil {
		t.Fatal(err)
	}
	if p := c.Spawner.PolicyFor("alice", nil, nil); p.RootImage != "" || p.RootDirectory != "/srv/b" {
		t.Errorf("alice sees %q and %q", p.RootImage, p.RootDirectory)
	}
	if p := c.Spawner.PolicyFor("bob", nil, nil); p.RootImage != "/srv/a.raw" || p.RootDirectory != "" || p.UsernameTemplate != "one-for-bob" {
		t.Errorf("bob sees %q and %q, as %q", p.RootImage, p.RootDirectory, p.UsernameTemplate)
	}
}
