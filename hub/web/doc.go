// Package web is the room with the pages: what a person sees of the hub.
//
// It owns the routes for people, one file a page, their templates and assets (embedded, addressed by checksum), and the
// look of every refusal.
//
// It must not know how somebody is identified or may do something (the porter has settled that before a page is asked for),
// how servers run (Workshop), or the API's rules for tokens and users (Directory).
//
// Way in: Room.Routes, rows for the hall; RenderError for the hall; RenderConfirm for the OAuth room. Way out: HTML, and
// redirects to places of ours.
//
// Caveats. No page holds a script, a style or an event handler of its own, because the content security policy would not
// run it: what scripts need to know stands in data- attributes of the body. Every page works without scripts, by forms;
// scripts add what is live. A form that changes something posts, and repeats the XSRF token; the exception is
// JupyterHub's: GET /hub/spawn starts a server, and GET /hub/logout logs out. Element ids are JupyterHub's where it has
// the element, since its tests and people's scripts know them.
package web
