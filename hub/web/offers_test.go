package web_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"jupyterhubd/hub"
	"jupyterhubd/hub/web"
)

// gpu is a profile that leaves something open.
var gpu = hub.Offer{Name: "gpu", DisplayName: "With a GPU", Default: true, Options: []hub.OfferOption{
	{Name: "kind", DisplayName: "Kind", Choices: []hub.OfferChoice{{Name: "small", DisplayName: "A small one"}, {Name: "large", Default: true}},
		Unlisted: &hub.Unlisted{DisplayName: "or another one"}},
	{Name: "memory", DisplayName: "Memory", Range: &hub.Range{Least: 1, Most: 16, Step: 0.5, Default: 4, Unit: "G"}},
}}

func offering(offers ...hub.Offer) func(*web.Options) {
	return func(o *web.Options) {
		o.Profiles = []web.Profile{{Name: "gpu"}, {Name: "secret"}}
		o.Offers = func(_ context.Context, user string) ([]hub.Offer, error) {
			if user != "alice" {
				return nil, errors.New("nobody asks for others")
			}
			return offers, nil
		}
	}
}

// The form asks what each profile that alice may have leaves open, and nothing of others; her answers are single values.
func TestTheFormAsksWhatAProfileLeavesOpen(t *testing.T) {
	w := newWorld(t, offering(gpu, hub.Offer{Name: "plain", Options: []hub.OfferOption{{Name: "image", Unlisted: &hub.Unlisted{}}}}))
	b := w.alice()
	form := b.get("/hub/spawn").want(http.StatusOK, "With a GPU", "A small one", "or another one")
	if !strings.Contains(form.body, `min="1" max="16" step="0.5" value="4"`) {
		t.Errorf("the number has no bounds:\n%s", form.body)
	}
	if strings.Contains(form.body, "secret") || strings.Contains(form.body, "Standard") {
		t.Error("the form offers what alice cannot have, or what the default profile stands for")
	}
	start := func(fields url.Values) {
		t.Helper()
		w.workshop.put("alice", "", hub.Stopped)
		b.submit(form, "start", fields).wantLocation(http.StatusFound, "/hub/spawn-pending/alice")
	}
	start(url.Values{"profile": {"gpu"}, "gpu:kind": {"small"}, "gpu:memory": {"2.5"}, "gpu:kind--unlisted-choice": {""}, "plain:image": {"x"}})
	start(url.Values{"profile": {"gpu"}, "gpu:kind": {"small"}, "gpu:memory": {"lots"}, "gpu:kind--unlisted-choice": {"huge"}})
	want := "alice/ gpu {\"kind\":\"small\",\"memory\":2.5}\nalice/ gpu {\"kind\":\"small\",\"kind--unlisted-choice\":\"huge\",\"memory\":\"lots\"}"
	if got := strings.Join(w.workshop.started, "\n"); got != want {
		t.Errorf("started\n%s\nwant\n%s", got, want)
	}
}

// Who chooses the standard after a profile gets the standard, and not what they had the last time.
func TestTheStandardIsAChoice(t *testing.T) {
	w := newWorld(t, offering(hub.Offer{Name: "gpu"}))
	b := w.alice()
	form := b.get("/hub/spawn").want(http.StatusOK, "Standard")
	b.submit(form, "start", url.Values{"profile": {""}}).wantLocation(http.StatusFound, "/hub/spawn-pending/alice")
	if got := strings.Join(w.workshop.started, "\n"); got != "alice/  {}" {
		t.Errorf("started %q", got)
	}
}

// Root's side does not answer: the form shows what the configuration names. It offers nothing: there is nothing to choose.
func TestOffersThatAreAway(t *testing.T) {
	w := newWorld(t, func(o *web.Options) {
		o.Profiles = []web.Profile{{Name: "gpu", DisplayName: "With a GPU"}}
		o.Offers = func(context.Context, string) ([]hub.Offer, error) { return nil, errors.New("away") }
	})
	w.alice().get("/hub/spawn").want(http.StatusOK, "With a GPU")
	w = newWorld(t, offering())
	w.alice().get("/hub/spawn").wantLocation(http.StatusFound, "/hub/spawn-pending/alice")
}

// A server whose time is limited is ended without asking: its user is told beforehand when.
func TestHomeSaysWhenAServersTimeIsOver(t *testing.T) {
	w := newWorld(t, nil)
	w.workshop.put("alice", "", hub.Running)
	if home := w.alice().get("/hub/home"); home.byID("ends") != nil {
		t.Error("a server without a limit ends")
	}
	ref := hub.ServerRef{User: "alice"}
	live := w.workshop.servers[ref]
	live.Unit.Until = today.Add(time.Hour)
	w.workshop.servers[ref] = live
	home := w.alice().get("/hub/home").want(http.StatusOK, "save your work by then")
	if at := find(home.byID("ends"), "time", "datetime", today.Add(time.Hour).UTC().Format(time.RFC3339)); at == nil {
		t.Errorf("the page does not say when:\n%s", home.body)
	}
}

// ownForm is a form of the configuration's, as authors of JupyterHub's write it.
const ownForm = `<div class="form-group"><label for="stack">Which stack</label>
<select name="stack" id="stack"><option value="r">R</option><option value="tf" selected>Tensorflow</option></select></div>
<p><label for="env">Environment variables</label> <textarea name="env" id="env"></textarea></p>
<p class="choice"><input type="checkbox" name="packages" value="numpy" id="numpy"> <label for="numpy">numpy</label>
<input type="checkbox" name="packages" value="scipy" id="scipy"> <label for="scipy">scipy</label></p>
<input type="hidden" name="profile" value="gpu"><p><label for="kind">Kind</label> <input name="kind" id="kind"></p>`

// With options_form the page asks what root wrote, and what is answered is user_options: lists, as JupyterHub has them, but for
// the options of the profile that the form chooses.
func TestTheConfigurationsOwnForm(t *testing.T) {
	w := newWorld(t, func(o *web.Options) {
		offering(gpu)(o)
		o.OptionsForm = ownForm
	})
	b := w.alice()
	form := b.get("/hub/spawn").want(http.StatusOK, "Which stack", "Environment variables")
	if form.byID("profile-gpu") != nil {
		t.Error("the form made from the profiles is there as well")
	}
	w.workshop.refuse = hub.Errorf(hub.Invalid, "There is no such kind.")
	b.submit(form, "start", url.Values{"kind": {"none"}}).want(http.StatusBadRequest, "There is no such kind.", "Which stack")
	w.workshop.refuse = nil
	b.submit(form, "start", url.Values{"packages": {"numpy", "scipy"}, "kind": {"small"}}).wantLocation(http.StatusFound, "/hub/spawn-pending/alice")
	want := `alice/ gpu {"env":[""],"kind":"small","packages":["numpy","scipy"],"stack":["tf"]}`
	if got := strings.Join(w.workshop.started, "\n"); got != want {
		t.Errorf("started %s, want %s", got, want)
	}
	if _, err := web.New(web.Options{Store: w.store, Porter: w.porter, OptionsForm: "<script>alert(1)</script>"}); hub.KindOf(err) != hub.Invalid {
		t.Errorf("a form that does nothing on the page is taken: %v", err)
	}
}

// With options_from_form = "simple" one answer is no list, and a box that is checked is true, as JupyterHub has it.
func TestSimpleOptionsOfAForm(t *testing.T) {
	w := newWorld(t, func(o *web.Options) { o.OptionsForm, o.SimpleOptions = ownForm, true })
	b := w.alice()
	form := b.get("/hub/spawn").want(http.StatusOK, "Which stack")
	b.submit(form, "start", url.Values{"packages": {"numpy", "scipy"}, "kind": {"on"}}).wantLocation(http.StatusFound, "/hub/spawn-pending/alice")
	want := `{"env":"","kind":true,"packages":["numpy","scipy"],"stack":"tf"}`
	if got := strings.Join(w.workshop.started, "\n"); !strings.HasSuffix(got, " "+want) {
		t.Errorf("started %s, want %s", got, want)
	}
}
