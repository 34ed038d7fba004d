package main

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// latencies are all measured durations, in microseconds.
type latencies []uint32

func (l *latencies) add(d time.Duration) {
	*l = append(*l, uint32(min(d.Microseconds(), math.MaxUint32)))
}

// ms returns percentiles in milliseconds. It sorts the list in place.
func (l latencies) ms(percentiles ...float64) []float64 {
	slices.Sort(l)
	out := make([]float64, len(percentiles))
	for i, percentile := range percentiles {
		if len(l) > 0 {
			index := min(int(float64(len(l))*percentile/100), len(l)-1)
			out[i] = float64(l[index]) / 1000
		}
	}
	return out
}

func round(value float64, digits int) float64 {
	scale := math.Pow10(digits)
	return math.Round(value*scale) / scale
}

// processes are accounted for by name.
type processes struct {
	names []string
	pids  []int
}

func parseProcesses(pairs []string) (p processes) {
	for _, pair := range pairs {
		name, text, _ := strings.Cut(pair, "=")
		pid, err := strconv.Atoi(text)
		check(err)
		p.names, p.pids = append(p.names, name), append(p.pids, pid)
	}
	return p
}

// cpuSeconds returns the CPU time that each process has used so far; this program is "client".
func (p processes) cpuSeconds() map[string]float64 {
	var usage syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	seconds := map[string]float64{"client": time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()}
	for i, name := range p.names {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pids[i]))
		check(err)
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		user, _ := strconv.Atoi(fields[11])
		system, _ := strconv.Atoi(fields[12])
		seconds[name] = float64(user+system) / 100
	}
	return seconds
}

// share returns the part of one core that each process used between two readings.
func share(before, after map[string]float64, elapsed time.Duration) map[string]float64 {
	shares := map[string]float64{}
	for name := range after {
		shares[name] = round((after[name]-before[name])/elapsed.Seconds(), 3)
	}
	return shares
}

// coreClock is the time of a core since it started: busy (including interrupts), stolen by the host, and total.
type coreClock struct{ busy, stolen, all float64 }

func readCores() map[string]coreClock {
	text, err := os.ReadFile("/proc/stat")
	check(err)
	cores := map[string]coreClock{}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if name, found := strings.CutPrefix(fields[0], "cpu"); found && name != "" {
			var clock coreClock
			for i, field := range fields[1:9] {
				ticks, _ := strconv.ParseFloat(field, 64)
				clock.all += ticks
				switch i {
				case 3, 4: // idle, and waiting for a disk
				case 7:
					clock.stolen += ticks
				default:
					clock.busy += ticks
				}
			}
			cores[name] = clock
		}
	}
	return cores
}

// coreShare returns for each core the part of the time that it was busy, and the part that the host stole.
func coreShare(before, after map[string]coreClock) map[string][2]float64 {
	shares := map[string][2]float64{}
	for name, late := range after {
		early := before[name]
		all := max(late.all-early.all, 1)
		shares[name] = [2]float64{round((late.busy-early.busy)/all, 3), round((late.stolen-early.stolen)/all, 3)}
	}
	return shares
}

// rssKiB returns the resident memory of the process called "server", or 0 if there is none.
func (p processes) rssKiB() int {
	index := slices.Index(p.names, "server")
	if index < 0 {
		return 0
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pids[index]))
	check(err)
	for line := range strings.Lines(string(text)) {
		if value, found := strings.CutPrefix(line, "VmRSS:"); found {
			kib, _ := strconv.Atoi(strings.Fields(value)[0])
			return kib
		}
	}
	return 0
}
