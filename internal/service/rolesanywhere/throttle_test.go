package rolesanywhere

import "testing"

func TestThrottle(t *testing.T) {
	off := throttle{}
	ten := throttle{perSecond: 10}
	for i := range 1000 {
		if !off.allow("123456789012", "eu-central-1") {
			t.Fatalf("no bound, and request %d was refused", i)
		}
	}
	passed := 0
	for range 1000 {
		if ten.allow("123456789012", "eu-central-1") {
			passed++
		}
	}
	if passed < 10 || passed > 20 {
		t.Errorf("%d of 1000 requests at once passed a bound of 10 a second", passed)
	}
	if !ten.allow("123456789012", "eu-west-1") || !ten.allow("210987654321", "eu-central-1") {
		t.Error("one account or region used up another's rate")
	}
}
