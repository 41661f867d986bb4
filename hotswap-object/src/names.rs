//! Names of items: canonical paths, what identifies an item, and what only tells its position.

/// Path of an item without crate hashes, as `rustc-demangle`'s alternate form prints it;
/// a name that isn't mangled is its own path.
pub fn canonical_path(symbol: &str) -> String {
    match rustc_demangle::try_demangle(symbol) {
        Ok(name) => format!("{name:#}"),
        Err(_) => symbol.to_owned(),
    }
}

/// The same with the hashes of crates, of which two may have one name.
pub fn exact_path(symbol: &str) -> String {
    match rustc_demangle::try_demangle(symbol) {
        Ok(name) => name.to_string(),
        Err(_) => symbol.to_owned(),
    }
}

/// Whether a symbol is a mangled Rust name.
pub fn is_mangled(symbol: &str) -> bool {
    symbol.starts_with("_R") || (symbol.starts_with("_ZN") && symbol.contains('E'))
}

/// Whether a symbol names an item; constants that the compiler made have names that don't.
pub fn is_item(symbol: &str) -> bool {
    let anonymous = symbol.is_empty()
        || symbol.starts_with('.')
        || symbol.starts_with("anon.")
        || symbol.starts_with("alloc_")
        || symbol.starts_with("__unnamed_")
        || symbol.starts_with("switch.table")
        || symbol.starts_with("DW.ref.");
    !anonymous
}

/// Whether the compiler split or renamed a static, so that its name no longer identifies it
/// (`COUNT.0`, `COUNT.llvm.1234`).
pub fn is_derived(symbol: &str) -> bool {
    // Dots are a suffix's in a v0 name, and may be a path's in a legacy one.
    let end = symbol
        .strip_prefix("_ZN")
        .map_or(symbol, |name| name.rsplit('E').next().unwrap_or(name));
    is_mangled(symbol) && end.contains('.')
}

/// Whether a symbol belongs to what rustc adds to a program: the allocator shim and its like.
pub fn is_shim(symbol: &str) -> bool {
    const PREFIXES: &[&str] = &["__rust_", "__rdl_", "__rg_", "rust_eh_personality"];
    PREFIXES.iter().any(|prefix| symbol.starts_with(prefix))
        || (symbol.starts_with("_R") && symbol.contains("7___rustc"))
}

const STD_THREAD_LOCAL: &str = "::__RUST_STD_INTERNAL_VAL";

/// What identifies an item: its path with the numbers of closures and constants left out, since
/// these only tell a position. The closures that `thread_local!` itself writes keep theirs.
pub fn identity(path: &str) -> String {
    let kept = match path.strip_suffix(STD_THREAD_LOCAL) {
        Some(owner) => {
            let written = owner.rfind("::{K#").or_else(|| owner.rfind("::{constant#"));
            written.unwrap_or(owner.len())
        }
        None => path.len(),
    };
    let (counted, kept) = path.split_at(kept);
    let mut identity = String::with_capacity(path.len());
    let mut rest = counted;
    while let Some(start) = rest.find('#') {
        let digits = rest[start + 1..]
            .bytes()
            .take_while(u8::is_ascii_digit)
            .count();
        identity.push_str(&rest[..start]);
        rest = &rest[start + 1 + digits..];
    }
    identity.push_str(rest);
    identity.push_str(kept);
    identity
}

/// Numbers in a v0 name that tell items of equal paths apart, one for each identifier and impl;
/// items that stand in one function or module sort by them as they do in the source. What stands
/// before the name itself does not count.
pub fn positions(symbol: &str) -> Vec<u64> {
    let bytes = &symbol.as_bytes()[symbol.find("_R").unwrap_or(0)..];
    let mut positions = Vec::new();
    let mut number = 0;
    let mut at = 0;
    while at < bytes.len() {
        at = match bytes[at] {
            b'0'..=b'9' => {
                positions.push(std::mem::take(&mut number));
                skip_identifier(bytes, at)
            }
            b's' => match base_62(bytes, at + 1) {
                Some((value, end)) => {
                    number = value.saturating_add(1);
                    end
                }
                None => at + 1,
            },
            // An impl is numbered where no identifier follows.
            b'M' | b'X' if bytes.get(at + 1) == Some(&b's') => {
                let (value, end) = base_62(bytes, at + 2).unwrap_or((0, at + 2));
                positions.push(value.saturating_add(1));
                end
            }
            b'M' | b'X' => {
                positions.push(0);
                at + 1
            }
            // A crate's own number is its hash, which tells no position.
            b'C' if bytes.get(at + 1) == Some(&b's') => {
                base_62(bytes, at + 2).map_or(at + 1, |(_, end)| end)
            }
            b'B' => base_62(bytes, at + 1).map_or(at + 1, |(_, end)| end),
            // The letter after `N` is a namespace, not a tag.
            b'N' => at + 2,
            _ => at + 1,
        };
    }
    positions
}

/// The position after the identifier whose length starts at `at`.
fn skip_identifier(bytes: &[u8], mut at: usize) -> usize {
    if bytes[at] == b'0' {
        return at + 1;
    }
    let mut length: usize = 0;
    while let Some(digit) = bytes.get(at).filter(|byte| byte.is_ascii_digit()) {
        length = length
            .saturating_mul(10)
            .saturating_add(usize::from(digit - b'0'));
        at += 1;
    }
    at += usize::from(bytes.get(at) == Some(&b'_'));
    at.saturating_add(length)
}

/// Reads a base-62 number that ends in `_`: the value and the position after it.
fn base_62(bytes: &[u8], mut at: usize) -> Option<(u64, usize)> {
    let mut value: u64 = 0;
    let mut digits = 0;
    loop {
        let digit = match bytes.get(at)? {
            b'_' => {
                let number = if digits == 0 {
                    0
                } else {
                    value.checked_add(1)?
                };
                return Some((number, at + 1));
            }
            byte @ b'0'..=b'9' => byte - b'0',
            byte @ b'a'..=b'z' => byte - b'a' + 10,
            byte @ b'A'..=b'Z' => byte - b'A' + 36,
            _ => return None,
        };
        value = value.checked_mul(62)?.checked_add(u64::from(digit))?;
        digits += 1;
        at += 1;
    }
}

#[cfg(test)]
mod tests;
