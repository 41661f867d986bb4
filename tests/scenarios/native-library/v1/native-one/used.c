static int calls;

int native_one_count(void) { return ++calls; }

const char *native_one_name(void) { return "first"; }
