/* The other library has a function of this name too. */
int native_clash(void) { return 2; }
