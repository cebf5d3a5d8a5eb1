// Command bench is `make bench`: it measures the product and what it is compared with, in the same machine and the same run,
// and prints ratios.
//
// It owns the list of figures with their goals (rows.go), the measuring (one file a subject), the programs that are compared
// with, and the table at the end. Contenders take turns, round by round, and what is printed is the median of the ratios of
// the rounds: a machine that is slow for a while is slow for all of them.
//
// It must not judge: no figure makes it fail, since absolute times and even ratios belong to the machine they were taken on.
// It fails when something cannot be measured.
//
// Way in: make bench; bin/.bench -help. Way out: standard output, and JSON for programs with --json FILE.
//
// Caveats: it boots a bed (test/testbed) and so needs root. Whatever else the machine does meanwhile is in the figures. The
// programs to compare with come from test/bench/references; one that is missing leaves its rows out. Everything happens on
// loopback in the bed's own network, bounded in count and time.
package main
