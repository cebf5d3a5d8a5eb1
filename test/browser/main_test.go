package browser

import (
	"os"
	"testing"

	"jupyterhubd/test/testbed"
)

func TestMain(m *testing.M) { os.Exit(testbed.Main(m)) }
