package proxy

import "golang.org/x/sys/unix"

// shrinkQueue gives a listening socket the shortest queue.
func shrinkQueue(fd int) { _ = unix.Listen(fd, 0) }
