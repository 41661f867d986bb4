const char *native_two_name(void) { return "second"; }
