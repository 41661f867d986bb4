//! Tables of statics in host and patch, and the verdicts on the latter.

use super::{Novelty, Refusal, Verdict, match_statics};
use crate::facts::{Pointee, StaticFacts, Storage, Wish};

/// A static from `name=value`, with options after it: `@N` an alignment, `/N` a size, `:N` one of its type, `&c` a pointer
/// to a constant of content `c`, `*f` one to a function, `!` for thread-local, `~keep` a wish to be kept,
/// `~t` one to be new, made of `t`. The name's last
/// dash and number tell equal paths apart.
fn facts(text: &str) -> StaticFacts {
    let mut parts = text.split(' ');
    let (name, value) = parts.next().unwrap().split_once('=').unwrap();
    let (path, number) = name.split_once('-').unwrap_or((name, "0"));
    let number: u64 = number.parse().unwrap();
    let position = match number {
        0 => String::new(),
        1 => String::from("s_"),
        number => format!("s{}_", number - 2),
    };
    let mut facts = StaticFacts {
        symbol: format!("_RNvNvC1a1f{position}{}{path}", path.len()),
        path: format!("a::f::{path}"),
        storage: Storage::Data,
        size: 8,
        align: 8,
        bytes: value.parse().unwrap(),
        pointers: Vec::new(),
        wish: None,
        was: None,
        type_size: None,
    };
    for part in parts {
        let (kind, rest) = part.split_at(1);
        match kind {
            "@" => facts.align = rest.parse().unwrap(),
            "/" => facts.size = rest.parse().unwrap(),
            ":" => facts.type_size = Some(rest.parse().unwrap()),
            "&" => facts
                .pointers
                .push((0, Pointee::Constant(rest.parse().unwrap()))),
            "*" => facts.pointers.push((0, Pointee::Function(rest.to_owned()))),
            "~" if rest == "keep" => facts.wish = Some(Wish::Keep),
            "~" => {
                facts.wish = Some(Wish::New {
                    text: rest.to_owned(),
                    layout: None,
                });
            }
            "." => facts.symbol = format!("{}.{rest}", facts.symbol),
            _ => facts.storage = Storage::ThreadData,
        }
    }
    facts
}

fn list(texts: &[&str]) -> Vec<StaticFacts> {
    texts.iter().map(|text| facts(text)).collect()
}

/// Checks verdicts given as: an index for the host's static, `kept` and an index, or a word.
fn check(host: &[&str], patch: &[&str], expected: &[&str]) {
    let hosts = list(host);
    let index = |symbol: &str| {
        hosts
            .iter()
            .position(|facts| facts.symbol == symbol)
            .unwrap()
    };
    let words: Vec<String> = match_statics(&hosts, &list(patch))
        .into_iter()
        .map(|matched| match matched.verdict {
            Verdict::Same { host } => index(&host).to_string(),
            Verdict::Kept { host } => format!("kept {}", index(&host)),
            Verdict::New(Novelty::Added) => String::from("added"),
            Verdict::New(Novelty::OtherContent { instead }) => match instead {
                Some(host) => format!("instead of {}", index(&host)),
                None => String::from("other"),
            },
            Verdict::New(Novelty::Wished { instead }) => format!("wished {}", index(&instead)),
            Verdict::Refused(Refusal::Size { .. }) => String::from("size"),
            Verdict::Refused(Refusal::Align { .. }) => String::from("align"),
            Verdict::Refused(Refusal::ThreadLocal) => String::from("thread"),
            Verdict::Refused(Refusal::Ambiguous) => String::from("ambiguous"),
            Verdict::Refused(Refusal::Derived) => String::from("derived"),
        })
        .collect();
    assert_eq!(words, expected, "{host:?} {patch:?}");
}

#[test]
fn unique_paths_match_by_path() {
    check(&["X=0", "Y=1"], &["Y=1", "X=0"], &["1", "0"]);
    check(&["X=0"], &["X=5"], &["kept 0"]);
    check(&["X=0"], &["Z=0"], &["added"]);
    check(&["X=0 /8"], &["X=0 /16"], &["size"]);
    check(&["X=0 @8"], &["X=0 @16"], &["align"]);
    check(&["X=0 @16"], &["X=0 @8"], &["0"]);
    check(&["X=0"], &["X=0 !"], &["thread"]);
    check(&["X=0 !"], &["X=1 !"], &["kept 0"]);
}

#[test]
fn pointers_to_other_constants_make_a_static_new() {
    check(&["X=0 &7"], &["X=0 &7"], &["0"]);
    check(&["X=0 &7"], &["X=0 &8"], &["instead of 0"]);
    check(&["Y=0", "X=0"], &["X=0 &8"], &["instead of 1"]);
    check(&["X=0 *a::X"], &["X=0 *a::X"], &["0"]);
    check(&["X=0 *a::f"], &["X=0 *a::g"], &["kept 0"]);
}

#[test]
fn wishes_say_what_becomes_of_a_value() {
    check(&["X=0"], &["X=5 ~keep"], &["kept 0"]);
    check(&["X=0 &7"], &["X=0 &8 ~keep"], &["kept 0"]);
    check(&["X=0 ~keep"], &["X=0 ~keep"], &["0"]);
    // A wish makes nothing safe that is not.
    check(&["X=0 /8"], &["X=0 /16 ~keep"], &["size"]);
    check(&["X=0 @8"], &["X=0 @16 ~keep"], &["align"]);
    check(&["X=0"], &["X=0 ! ~keep"], &["thread"]);
    // Nothing is edited.
    check(&["X=0 ~a"], &["X=0 ~a"], &["0"]);
    check(
        &["X=0 *f::{closure#0} ~a"],
        &["X=0 *f::{closure#1} ~a"],
        &["kept 0"],
    );
    // The text, the value, or all of it.
    check(&["Y=0", "X=0 ~a"], &["X=0 ~b"], &["wished 1"]);
    check(&["X=0 ~a"], &["X=5 ~a"], &["wished 0"]);
    check(&["X=0 &7 ~a"], &["X=0 &8 ~a"], &["wished 0"]);
    check(&["X=0 /8 ~a"], &["X=0 /16 ~b"], &["wished 0"]);
    check(&["X=0 @8 ~a"], &["X=0 @16 ~a"], &["wished 0"]);
    check(&["X=0 ~a"], &["X=0 ! ~a"], &["wished 0"]);
    // The wish itself is new.
    check(&["X=0"], &["X=0 ~a"], &["wished 0"]);
    check(&["X=0 ~keep"], &["X=0 ~a"], &["wished 0"]);
    check(&["X=0 ~a"], &["X=0"], &["0"]);
    check(&["X=0 ~a"], &["X=5 ~keep"], &["kept 0"]);
    // Several that only their position tells apart are matched as ever.
    check(
        &["X-0=0 ~a", "X-1=1 ~a"],
        &["X-0=0 ~b", "X-1=1 ~b"],
        &["0", "1"],
    );
}

#[test]
fn registrations_of_one_path_match_in_order() {
    check(
        &["C-0=0 &1", "C-1=0 &2"],
        &["C-0=0 &1", "C-1=0 &2"],
        &["0", "1"],
    );
    check(
        &["C-0=0 &1", "C-1=0 &2"],
        &["C-0=0 &9", "C-1=0 &1", "C-2=0 &2"],
        &["other", "0", "1"],
    );
    check(&["C-0=0 &1", "C-1=0 &2"], &["C-0=0 &2"], &["1"]);
    check(
        &["C-0=0 &1", "C-1=0 &2"],
        &["C-0=0 &2", "C-1=0 &1"],
        &["1", "other"],
    );
    check(
        &["C-0=0 &1", "C-1=0 &1"],
        &["C-0=0 &1", "C-1=0 &1"],
        &["0", "1"],
    );
}

#[test]
fn plain_state_of_one_path_is_matched_only_without_doubt() {
    check(&["X-0=0", "X-1=0"], &["X-0=0", "X-1=0"], &["0", "1"]);
    check(&["X-0=0"], &["X-0=0", "X-1=0"], &["ambiguous", "ambiguous"]);
    check(&["X-0=0", "X-1=0"], &["X-0=0"], &["ambiguous"]);
    check(&["X-0=1", "X-1=2"], &["X-0=2", "X-1=1"], &["1", "0"]);
    check(
        &["X-0=1", "X-1=2"],
        &["X-0=1", "X-1=2", "X-2=3"],
        &["0", "1", "added"],
    );
    check(
        &["X-0=1", "X-1=2"],
        &["X-0=1", "X-1=3"],
        &["0", "ambiguous"],
    );
    check(
        &["X-0=0", "X-1=0", "X-2=5"],
        &["X-0=0", "X-1=0", "X-2=5"],
        &["0", "1", "2"],
    );
    check(
        &["X-0=0", "X-1=0"],
        &["X-0=0 /16", "X-1=0"],
        &["ambiguous", "ambiguous"],
    );
}

#[test]
fn order_is_that_of_the_source_not_of_the_table() {
    check(
        &["X-2=0", "X-0=0", "X-1=0"],
        &["X-1=0", "X-0=0", "X-2=0"],
        &["2", "1", "0"],
    );
}

#[test]
fn split_statics_are_refused() {
    check(&["X=0"], &["X=0 .0"], &["derived"]);
    check(&["X=0 .llvm.1"], &["X=0"], &["derived"]);
    check(&["X=0 :8"], &["X=0 :8"], &["0"]);
    // Both are narrower than their type, in ways of their own.
    check(&["X=0 /1 :4"], &["X=0 /1 :4"], &["derived"]);
    check(&["X=0"], &["X=0 /1 :4"], &["derived"]);
}
