//! Names as rustc writes them into debug information, and what of them identifies a type.

use std::borrow::Cow;

/// The crate whose boxes hide the type of their first argument: whatever the compiler makes of an `async` body or an
/// `impl Trait`, only the other arguments (the output) can be seen through them.
const HIDING_CRATE: &str = "hotswap";

/// The runtime's marker for a type that is hidden.
const HIDDEN: &str = "Hidden";

/// The runtime's handle of a server: a number, and the name of the server's type.
const HANDLE: &str = "Handle";

/// True for a type of the runtime whose first argument must not count.
pub(crate) fn hides_first_argument(crate_name: &str, name: &str) -> bool {
    crate_name == HIDING_CRATE && is_hiding(base(name))
}

/// True for the runtime's marker type itself, which has no fields but such as name what it hides.
pub(crate) fn is_hidden_marker(name: &str) -> bool {
    base(name) == HIDDEN
}

/// True for the runtime's wrapper of arguments and results, which hides how the type inside would be passed.
pub(crate) fn is_passed_alike(crate_name: &str, base_name: &str) -> bool {
    crate_name == HIDING_CRATE && base_name == "Arg"
}

fn is_hiding(base_name: &str) -> bool {
    base_name == HIDDEN || base_name == HANDLE || base_name.ends_with("Box")
}

/// The name without the numbers that only tell siblings apart: `{closure_env#3}` becomes `{closure_env}`.
pub(crate) fn without_positions(name: &str) -> Cow<'_, str> {
    if !name.contains('#') {
        return Cow::Borrowed(name);
    }
    let mut kept = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(at) = rest.find('#') {
        let (head, tail) = rest.split_at(at);
        let digits = tail[1..].bytes().take_while(u8::is_ascii_digit).count();
        let is_position = digits > 0 && tail[1 + digits..].starts_with('}');
        kept.push_str(head);
        if !is_position {
            kept.push('#');
        }
        rest = &tail[if is_position { 1 + digits } else { 1 }..];
    }
    kept.push_str(rest);
    Cow::Owned(kept)
}

/// What identifies a type across versions: its full name without positions and without what the runtime's boxes hide.
pub(crate) fn identity(full_name: &str) -> String {
    let mut text = without_positions(full_name).into_owned();
    let mut from = 0;
    while let Some(found) = text[from..].find("hotswap::") {
        let start = from + found;
        let boundary = start == 0 || !is_path_byte(text.as_bytes()[start - 1]);
        let path_end = start
            + text[start..]
                .bytes()
                .take_while(|byte| is_path_byte(*byte))
                .count();
        let last = text[start..path_end].rsplit("::").next().unwrap_or("");
        if boundary && is_hiding(last) && text[path_end..].starts_with('<') {
            let hidden = arguments(&text[path_end..]).next().map_or(0, str::len);
            text.replace_range(path_end + 1..path_end + 1 + hidden, "_");
        }
        from = path_end.max(start + 1);
    }
    text
}

fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':' || byte >= 0x80
}

/// The shape of a name, with type arguments and pointees taken out: those are compared through the graph.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Shape<'a> {
    /// A path: its last component, `Vec` of `Vec<u8>`. Arguments that are constants are part of it, see [`constants`].
    Path(&'a str),
    /// A reference or raw pointer; the second part tells slices, strings and trait objects apart.
    Pointer(&'static str, &'static str),
    /// A function pointer, with what stands before its `fn`.
    Function(&'a str),
    /// A tuple or a slice, told by its bracket.
    Bracket(char),
    /// Anything whose whole text counts: trait objects and what rustc makes up.
    Whole,
}

const SIGILS: [&str; 4] = ["&mut ", "&", "*const ", "*mut "];

pub(crate) fn shape(name: &str) -> Shape<'_> {
    if let Some(sigil) = SIGILS.iter().find(|sigil| name.starts_with(**sigil)) {
        let rest = &name[sigil.len()..];
        let pointee = match rest.as_bytes().first() {
            Some(b'[') => "[]",
            _ if is_trait_object(rest) => "dyn",
            _ if rest == "str" => "str",
            _ => "",
        };
        return Shape::Pointer(sigil, pointee);
    }
    if is_trait_object(name) || name.starts_with('<') {
        return Shape::Whole;
    }
    if let Some(bracket) = name
        .chars()
        .next()
        .filter(|first| matches!(first, '(' | '['))
    {
        return Shape::Bracket(bracket);
    }
    match function_prefix(name) {
        Some(prefix) => Shape::Function(prefix),
        None => Shape::Path(base(name)),
    }
}

/// True for the names of `dyn Trait` types.
pub(crate) fn is_trait_object(name: &str) -> bool {
    name.starts_with("dyn ") || name.starts_with("(dyn ")
}

/// What stands before the `fn` of a function pointer's name.
fn function_prefix(name: &str) -> Option<&str> {
    let at = name.find("fn(")?;
    let prefix = &name[..at];
    let is_prefix = prefix.is_empty()
        || prefix.starts_with("unsafe ")
        || prefix.starts_with("extern ")
        || prefix.starts_with("for<");
    is_prefix.then_some(prefix)
}

/// The name before its arguments.
pub(crate) fn base(name: &str) -> &str {
    name.split('<').next().unwrap_or(name)
}

/// The arguments of `Name<A, B>`, split at the top level. Also takes the bare `<A, B>`.
pub(crate) fn arguments(name: &str) -> Arguments<'_> {
    let rest = name.find('<').map_or("", |at| &name[at + 1..]);
    Arguments { rest }
}

/// Iterator of [`arguments`].
pub(crate) struct Arguments<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Arguments<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if self.rest.is_empty() {
            return None;
        }
        let (end, last) = argument_end(self.rest);
        let argument = self.rest[..end].trim_start();
        self.rest = if last {
            ""
        } else {
            self.rest.get(end + 1..).unwrap_or("")
        };
        (!argument.is_empty()).then_some(argument)
    }
}

/// Where the first argument in `text` ends, and whether it is the last.
fn argument_end(text: &str) -> (usize, bool) {
    let mut depth = 0_u32;
    let mut before = 0;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'<' | b'(' | b'[' | b'{' => depth += 1,
            b'>' if before == b'-' => {}
            b'>' if depth == 0 => return (at, true),
            b'>' | b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => return (at, false),
            _ => {}
        }
        before = byte;
    }
    (text.len(), true)
}

/// The arguments that are constants, with their positions: debug information has no entries for them.
pub(crate) fn constants(name: &str) -> impl Iterator<Item = (usize, &str)> {
    arguments(name).enumerate().filter(|(_, argument)| {
        argument
            .starts_with(|first: char| first.is_ascii_digit() || matches!(first, '-' | '\'' | '"'))
            || matches!(*argument, "true" | "false")
    })
}

/// The principal trait of a trait object's name: `a::Tr` of `(dyn a::Tr + core::marker::Send)`.
pub(crate) fn principal_trait(name: &str) -> Option<&str> {
    let inner = name
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'))
        .unwrap_or(name);
    let bounds = inner.strip_prefix("dyn ")?;
    let mut depth = 0_i32;
    for (at, byte) in bounds.bytes().enumerate() {
        match byte {
            b'<' | b'(' | b'[' => depth += 1,
            b'>' if at > 0 && bounds.as_bytes()[at - 1] == b'-' => {}
            b'>' | b')' | b']' => depth -= 1,
            b' ' if depth == 0 => return Some(&bounds[..at]),
            _ => {}
        }
    }
    Some(bounds)
}

/// Splits the name of a vtable, `<Type as Trait>::{vtable}`, into type and trait.
pub(crate) fn vtable_parts(name: &str) -> Option<(&str, &str)> {
    let inner = name.strip_prefix('<')?.strip_suffix(">::{vtable}")?;
    let mut depth = 0_i32;
    for (at, byte) in inner.bytes().enumerate() {
        match byte {
            b'<' | b'(' | b'[' | b'{' => depth += 1,
            b'>' if at > 0 && inner.as_bytes()[at - 1] == b'-' => {}
            b'>' | b')' | b']' | b'}' => depth -= 1,
            b' ' if depth == 0 && inner[at..].starts_with(" as ") => {
                return Some((&inner[..at], &inner[at + 4..]));
            }
            _ => {}
        }
    }
    None
}

/// True if `path` occurs in `text` as a whole path, not as a part of a longer one.
pub(crate) fn mentions(text: &str, path: &str) -> bool {
    let bytes = text.as_bytes();
    text.match_indices(path).any(|(at, _)| {
        let starts = at == 0 || !is_path_byte(bytes[at - 1]);
        let ends = bytes
            .get(at + path.len())
            .is_none_or(|byte| !is_path_byte(*byte));
        starts && ends
    })
}

/// A type's name as people write it: without the paths of the standard library, its allocator and its hasher.
pub(crate) fn readable(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(start) = rest.find(|c: char| c.is_ascii() && is_path_byte(c as u8)) {
        text.push_str(&rest[..start]);
        let path = &rest[start..];
        let end = path.bytes().position(|byte| !is_path_byte(byte));
        let (path, tail) = path.split_at(end.unwrap_or(path.len()));
        let of_std = ["core::", "alloc::", "std::"];
        let shown = match of_std.iter().any(|root| path.starts_with(root)) {
            true => path.rsplit("::").next().unwrap_or(path),
            false => path,
        };
        text.push_str(shown);
        rest = tail;
    }
    text.push_str(rest);
    text.replace(", Global", "").replace(", RandomState", "")
}

/// The crate a path begins with.
pub(crate) fn crate_of(path: &str) -> &str {
    let start = path.trim_start_matches(['<', '&', '(', '*']);
    let start = start.strip_prefix("dyn ").unwrap_or(start);
    start
        .split([':', '<', ' ', '>', ')'])
        .next()
        .unwrap_or(start)
}

/// True for closures and for the states of `async` blocks and functions, which have no name of their own.
pub(crate) fn is_unnamed(name: &str) -> bool {
    name.contains("{closure_env")
        || name.contains("{async_")
        || name.contains("{gen_")
        || name.contains("{coroutine")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_taken_out() {
        let cases = [
            (
                "a::f::{closure_env#12}<u8, b::{impl#0}::T>",
                "a::f::{closure_env}<u8, b::{impl}::T>",
            ),
            ("plain", "plain"),
            ("r#type", "r#type"),
            ("{closure_env#0}", "{closure_env}"),
        ];
        for (name, expected) in cases {
            assert_eq!(without_positions(name), expected);
        }
    }

    #[test]
    fn names_are_shown_as_people_write_them() {
        let cases = [
            (
                "alloc::vec::Vec<app::T, alloc::alloc::Global>",
                "Vec<app::T>",
            ),
            (
                "std::collections::hash::map::HashMap<&str, (u8, [app::T; 3]), std::hash::random::RandomState, alloc::alloc::Global>",
                "HashMap<&str, (u8, [app::T; 3])>",
            ),
            ("u32", "u32"),
        ];
        for (name, expected) in cases {
            assert_eq!(readable(name), expected);
        }
    }

    #[test]
    fn shapes_leave_out_what_the_graph_has() {
        let cases = [
            ("Vec<a::T, alloc::alloc::Global>", Shape::Path("Vec")),
            ("&mut a::World", Shape::Pointer("&mut ", "")),
            ("&[a::T]", Shape::Pointer("&", "[]")),
            ("&str", Shape::Pointer("&", "str")),
            (
                "*const (dyn a::Tr + core::marker::Send)",
                Shape::Pointer("*const ", "dyn"),
            ),
            ("dyn a::Tr", Shape::Whole),
            ("<a::T as a::Tr>::{vtable_type}", Shape::Whole),
            ("(u8, u16)", Shape::Bracket('(')),
            (
                "unsafe extern \"C\" fn(a::T) -> u8",
                Shape::Function("unsafe extern \"C\" "),
            ),
            ("fn(a::T)", Shape::Function("")),
            ("Wrapper<fn(u8)>", Shape::Path("Wrapper")),
        ];
        for (name, expected) in cases {
            assert_eq!(shape(name), expected, "{name}");
        }
    }

    #[test]
    fn arguments_split_at_the_top_level() {
        let of = |name| arguments(name).collect::<Vec<_>>();
        assert_eq!(
            of("A<u8, B<c, d>, (e, f), fn(g) -> h, [i; 4]>"),
            ["u8", "B<c, d>", "(e, f)", "fn(g) -> h", "[i; 4]"]
        );
        assert_eq!(of("A"), [""; 0]);
        assert_eq!(
            constants("A<u8, 4, -1, true, '\\u{61}'>").collect::<Vec<_>>(),
            [(1, "4"), (2, "-1"), (3, "true"), (4, "'\\u{61}'")]
        );
    }

    #[test]
    fn hidden_types_do_not_identify() {
        let name = "a::Arg<hotswap::boxed::FutureBox<a::f::{async_fn_env#0}<u8>, u32>>";
        assert_eq!(identity(name), "a::Arg<hotswap::boxed::FutureBox<_, u32>>");
        assert_eq!(
            identity("myhotswap::FutureBox<a, b>"),
            "myhotswap::FutureBox<a, b>"
        );
        assert!(hides_first_argument("hotswap", "FutureBox<a, b>"));
        assert!(!hides_first_argument("a", "FutureBox<a, b>"));
        assert!(hides_first_argument("hotswap", "Handle<a>"));
    }

    #[test]
    fn traits_of_objects_and_vtables() {
        assert_eq!(
            principal_trait("(dyn a::Tr<u8, b + c> + core::marker::Send)"),
            Some("a::Tr<u8, b + c>")
        );
        assert_eq!(
            principal_trait("dyn core::ops::function::Fn<(a::T), Output=()>"),
            Some("core::ops::function::Fn<(a::T), Output=()>")
        );
        assert_eq!(
            vtable_parts("<a::T<b as c> as a::Tr>::{vtable}"),
            Some(("a::T<b as c>", "a::Tr"))
        );
        assert_eq!(vtable_parts("a::STATE"), None);
    }

    #[test]
    fn a_path_is_mentioned_whole() {
        assert!(mentions("dyn Fn<(&a::T)>", "a::T"));
        assert!(!mentions("dyn Fn<(&a::Tx)>", "a::T"));
        assert!(!mentions("dyn Fn<(b::a::T)>", "a::T"));
        assert_eq!(crate_of("&(dyn a::Tr)"), "a");
    }
}
