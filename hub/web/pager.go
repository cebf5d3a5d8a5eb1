package web

// pager leads through a list that is cut into pages.
type pager struct {
	Label   string // of the links to other pages, where there are several lists; empty where there is one
	Total   int
	First   int // number of the first row on the page, from 1
	Last    int
	Page    int // from 1
	Pages   int
	Start   string // addresses of other pages; empty where there are none
	Earlier string
	Later   string
	End     string
}

// turn works out where the page of the list is that begins at offset and shows so many rows, and the addresses of the others.
func (p *pager) turn(offset, size, shown int, address func(offset int) string) {
	p.First, p.Last = offset+1, offset+shown
	p.Page, p.Pages = offset/size+1, (p.Total+size-1)/size
	if offset > 0 {
		p.Start, p.Earlier = address(0), address(max(offset-size, 0))
	}
	if p.Last < p.Total && shown > 0 {
		p.Later, p.End = address(offset+size), address((p.Pages-1)*size)
	}
}
