// Package pam logs people in by the system's PAM: it is the hub's side of /run/jupyterhub/pam.sock and passwd.sock.
//
// It owns one connection a conversation, and how the steps of a conversation travel over it. Anything that implements
// org.jupyterhub.Authenticator behind such a socket can be logged in through by this client.
//
// It must not know PAM, root's rules or accounts (those are behind the door, in pam/door and pam/conv), nor the porter:
// of ours it imports package hub and the wire.
//
// Way in: Client.Begin. Way out: the socket.
//
// Caveat: systemd hangs up on a connection over the socket's MaxConnections=; the porter keeps to fewer at once.
package pam
