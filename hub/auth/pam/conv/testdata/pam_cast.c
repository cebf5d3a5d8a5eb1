/* A module for the tests: asks for a code and a colour in one call, with messages around, and takes code=... as right.
 * With map=NAME it changes PAM_USER to NAME; with endless it never stops asking; with env=NAME=VALUE it sets a
 * variable, and LONG as well, to more than anybody wants; that alone is neither right nor wrong. */
#include <security/pam_modules.h>
#include <security/pam_ext.h>
#include <stdlib.h>
#include <string.h>

static const char *option(int argc, const char **argv, const char *name)
{
	size_t n = strlen(name);
	for (int i = 0; i < argc; i++)
		if (!strncmp(argv[i], name, n))
			return argv[i] + n;
	return NULL;
}

int pam_sm_authenticate(pam_handle_t *h, int flags, int argc, const char **argv)
{
	const char *code = option(argc, argv, "code="), *map = option(argc, argv, "map=");
	for (int i = 0; i < argc; i++)
		if (!strncmp(argv[i], "env=", 4) && pam_putenv(h, argv[i] + 4) != PAM_SUCCESS)
			return PAM_BUF_ERR;
	if (option(argc, argv, "env=")) {
		char filler[5000] = "LONG=";
		memset(filler + 5, 'x', sizeof filler - 6);
		if (pam_putenv(h, filler) != PAM_SUCCESS)
			return PAM_BUF_ERR;
		if (!code && !map)
			return PAM_IGNORE;
	}
	if (map)
		return pam_set_item(h, PAM_USER, map);
	if (option(argc, argv, "endless"))
		for (char *r = NULL; pam_prompt(h, PAM_PROMPT_ECHO_ON, &r, "more? ") == PAM_SUCCESS; free(r), r = NULL)
			;
	const struct pam_conv *conv;
	if (pam_get_item(h, PAM_CONV, (const void **)&conv) != PAM_SUCCESS || !conv)
		return PAM_CONV_ERR;
	struct pam_message m[4] = {
		{PAM_TEXT_INFO, "look at\nyour \033[31mtelephone"},
		{PAM_PROMPT_ECHO_ON, "Code: "},
		{PAM_ERROR_MSG, "and quickly"},
		{PAM_PROMPT_ECHO_OFF, "Colour: "},
	};
	const struct pam_message *p[4] = {&m[0], &m[1], &m[2], &m[3]};
	struct pam_response *r = NULL;
	if (conv->conv(4, p, &r, conv->appdata_ptr) != PAM_SUCCESS || !r)
		return PAM_CONV_ERR;
	int good = code && r[1].resp && r[3].resp && !strcmp(r[1].resp, code) && !strcmp(r[3].resp, "blue");
	for (int i = 0; i < 4; i++)
		free(r[i].resp);
	free(r);
	const void *rhost = NULL, *tty = NULL;
	pam_get_item(h, PAM_RHOST, &rhost);
	pam_get_item(h, PAM_TTY, &tty);
	pam_info(h, "from %s at %s", rhost ? (const char *)rhost : "nowhere", tty ? (const char *)tty : "none");
	return good ? PAM_SUCCESS : PAM_AUTH_ERR;
}

int pam_sm_setcred(pam_handle_t *h, int flags, int argc, const char **argv) { return PAM_SUCCESS; }
