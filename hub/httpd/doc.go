// Package httpd is the hall: every request passes through it on the way to a room, and every refusal on the way out.
//
// It owns the order of what happens to a request (recover, request id, log, headers, limits, porter, table), the one
// table that all rooms' rows are put into, the one table from kinds of error to HTTP statuses, and the limits of a
// connection.
//
// It must not know what a room does: it sees rows. It decides neither who somebody is nor what they may (the porter does
// both) and renders no page (hub/web does, behind the Pages interface).
//
// Way in: New with the rooms' rows; then Browser, API and Admin, one handler for each kind of door, and Serve, which opens
// one. Way out: a row's handler, or an error that is rendered here.
//
// Caveats: a path is matched segment by segment after percent-decoding, without any cleaning: "//", "..", and a trailing
// slash are what they are, as JupyterHub has it, because a name may hold anything but a slash. Refused looks like absent:
// who holds a row's scope for something else gets the same 404 as for a name that does not exist.
package httpd
