/* Nobody needs this member, or what it needs. */
int native_missing(void);

int native_clash(void) { return native_missing(); }
