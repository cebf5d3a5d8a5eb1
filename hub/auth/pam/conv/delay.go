package conv

/*
#cgo LDFLAGS: -lpam
#include <security/pam_appl.h>

#ifdef PAM_FAIL_DELAY
static void jupyterhub_no_delay(int retval, unsigned usec, void *appdata) { (void)retval; (void)usec; (void)appdata; }
static int jupyterhub_without_delay(void *handle) {
	return pam_set_item((pam_handle_t *)handle, PAM_FAIL_DELAY, (const void *)jupyterhub_no_delay);
}
#else
static int jupyterhub_without_delay(void *handle) { (void)handle; return PAM_SUCCESS; }
#endif
*/
import "C"

import (
	"errors"
	"reflect"

	"github.com/msteinert/pam/v2"
)

// withoutDelay sets PAM_FAIL_DELAY to a function that does not wait (pam_fail_delay(3)). libpam's own waits for a random time
// around what the modules ask for, some seconds in which a process stands still for every bad password; and since the
// modules ask for it on some of their ways out only, it would not even hide which way was taken.
//
// The library keeps its handle to itself and has no way to set this item, so the handle is read by reflection. If its
// layout changes, logging in fails and the test of this file says why.
func withoutDelay(t *pam.Transaction) error {
	handle := reflect.ValueOf(t).Elem().FieldByName("handle")
	if handle.Kind() != reflect.Pointer || handle.IsNil() {
		return broken("set PAM_FAIL_DELAY", errors.New("the PAM library's transaction has no field \"handle\" any more"))
	}
	if status := pam.Error(C.jupyterhub_without_delay(handle.UnsafePointer())); status != 0 {
		return broken("set PAM_FAIL_DELAY", status)
	}
	return nil
}
