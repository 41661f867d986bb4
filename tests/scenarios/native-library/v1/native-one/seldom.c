int native_one_seldom(void) { return 42; }
