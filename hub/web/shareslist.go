package web

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// sharesRows is how many shares, or links, are on a page.
const sharesRows = 100

// shareLists are the lists by their parameters, and what the links to their other pages are called.
var shareLists = map[string]string{"taken": "Pages of what is shared with you", "given": "Pages of what you share", "codes": "Pages of links"}

// shareList is a page of one of the lists.
type shareList[T any] struct {
	pager
	Rows []T
}

// sharesLook is what of the lists is looked at: which page of each, and what is searched for.
type sharesLook struct {
	address string // of the whole page
	search  string
	offsets map[string]int
}

// lookOf reads it from a page's address, where what makes no sense says nothing.
func lookOf(r *http.Request, address string) sharesLook {
	q := r.URL.Query()
	look := sharesLook{address: address, search: strings.TrimSpace(q.Get("search")), offsets: map[string]int{}}
	for list := range shareLists {
		look.offsets[list] = numberOf(q, list)
	}
	return look
}

// at is the address where one list is at another page, and everything else as it is.
func (look sharesLook) at(list string, offset int) string {
	q := url.Values{}
	if look.search != "" {
		q.Set("search", look.search)
	}
	for name, at := range look.offsets {
		if name == list {
			at = offset
		}
		if at > 0 {
			q.Set(name, strconv.Itoa(at))
		}
	}
	if len(q) == 0 {
		return look.address
	}
	return look.address + "?" + q.Encode()
}

// pageOf returns the page of a list that is looked at, of what has the search in its words. A page that is there no more, because what
// was on it is gone, is the last one.
func pageOf[T any](look sharesLook, list string, all []T, words func(T) string) shareList[T] {
	var found []T
	for _, one := range all {
		if strings.Contains(strings.ToLower(words(one)), strings.ToLower(look.search)) {
			found = append(found, one)
		}
	}
	last := max(len(found)-1, 0) / sharesRows * sharesRows
	offset := min(look.offsets[list], last) / sharesRows * sharesRows
	page := shareList[T]{Rows: found[offset:min(offset+sharesRows, len(found))]}
	page.Label, page.Total = shareLists[list], len(found)
	page.turn(offset, sharesRows, len(page.Rows), func(offset int) string { return look.at(list, offset) })
	return page
}
