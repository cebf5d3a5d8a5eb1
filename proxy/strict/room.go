package strict

import "errors"

// Room is what a connection holds of the memory that there is for slow clients. Whoever shares that out may drop the connection, when
// others need it more.
type Room interface {
	Wait(bytes int) // for a head of which so much is kept
	Keep(bytes int) // a head of so much, while it is answered
	Leave()         // no head any more
	Answer()        // an answer, while the client is to take some of it
	Answered()
}

// Dropper is a ResponseWriter whose connection can be ended at once from another goroutine.
type Dropper interface{ Drop() }

// SmallHead is the size up to which nobody counts what a head takes while it is answered.
const SmallHead = inBuffer

// errDropped is what reading a head ends with when others need the memory more.
var errDropped = errors.New("there is no room for a slow client")

// drop ends the connection. It does not wait.
func (c *conn) drop() {
	c.dropped.Store(true)
	c.wake()
}

// Drop ends the connection and, with its context, what is done for the request.
func (w *response) Drop() { w.c.drop() }

// wait holds what it takes to wait for a head of which so much is kept.
func (c *conn) wait(kept int) {
	if c.room != nil {
		c.room.Wait(kept)
		c.waits = true
	}
}

// keep holds a head that is here, unless it is small.
func (c *conn) keep(size int) {
	if c.room != nil && size > SmallHead {
		c.room.Keep(size)
		c.waits = true
		return
	}
	c.leaveRoom()
}

func (c *conn) leaveRoom() {
	if c.waits {
		c.room.Leave()
		c.waits = false
	}
}

// offer holds an answer while the client is to take something of it, until taken.
func (c *conn) offer() {
	if c.room != nil && !c.dropped.Load() {
		c.room.Answer()
	}
}

func (c *conn) taken() {
	if c.room != nil {
		c.room.Answered()
	}
}
