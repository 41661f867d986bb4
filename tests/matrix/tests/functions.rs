//! Free functions.

use std::fmt::{Debug, Display};
use std::panic::Location;

#[hotswap::entry]
fn nothing() {}

#[hotswap::entry]
fn add(a: u32, b: u32) -> u32 {
    if a == 0 {
        return b;
    }
    a + b
}

#[hotswap::entry(untracked)]
fn add_untracked(a: f64, b: f64) -> f64 {
    a + b
}

#[hotswap::entry]
fn longest<'a>(a: &'a str, b: &'a str) -> &'a str {
    if a.len() > b.len() { a } else { b }
}

#[hotswap::entry]
fn first_word(text: &str) -> &str {
    text.split(' ').next().unwrap_or(text)
}

#[hotswap::entry]
fn outlives<'a, 'b>(a: &'a mut Vec<&'b str>, b: &'b str) -> &'a [&'b str]
where
    'b: 'a,
{
    a.push(b);
    a
}

struct State<T>(T);

#[hotswap::entry]
fn patterns(State(mut a): State<u32>, mut b: u32, _: String, (c, [d, ..]): (u32, [u32; 3])) -> u32 {
    a += 1;
    b += a;
    b + c + d
}

/// # Safety
///
/// `a` must be valid for reads.
#[hotswap::entry]
unsafe fn read(a: *const u32) -> u32 {
    // SAFETY: by the function's contract.
    unsafe { *a }
}

#[hotswap::entry]
fn never(text: &str) -> ! {
    panic!("never {text}")
}

#[hotswap::entry]
fn fallible(text: &str) -> Result<u32, Box<dyn std::error::Error>> {
    let parsed: u32 = text.parse()?;
    if parsed == 0 {
        Err("zero")?;
    }
    Ok(parsed)
}

#[hotswap::entry]
#[track_caller]
fn located(_a: u32) -> &'static Location<'static> {
    Location::caller()
}

#[hotswap::entry]
fn even(below: u32) -> impl Iterator<Item = u32> + Clone {
    (0..below).filter(|n| n % 2 == 0)
}

#[hotswap::entry]
fn odd<'a>(
    numbers: &'a [u32],
) -> impl DoubleEndedIterator<Item = &'a u32> + ExactSizeIterator + use<'a> {
    numbers.iter()
}

#[hotswap::entry]
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(' ')
}

#[hotswap::entry]
fn adder(a: u32) -> impl Fn(u32) -> u32 + Send + Sync {
    move |b| a + b
}

#[hotswap::entry]
fn trimmer(prefix: &str) -> impl Fn(&str) -> &str {
    move |text| text.strip_prefix(prefix).unwrap_or(text)
}

#[hotswap::entry]
fn counter(mut a: u32) -> impl FnMut() -> u32 {
    move || {
        a += 1;
        a
    }
}

#[hotswap::entry]
fn once(a: String) -> impl FnOnce(&str) -> String {
    move |b| a + b
}

#[hotswap::entry]
fn shown(a: u32) -> impl Display {
    format!("<{a}>")
}

#[hotswap::entry]
fn debugged(a: u32) -> impl Debug {
    Some(a)
}

#[hotswap::entry]
fn both(a: u32) -> impl Display + Debug {
    a
}

#[hotswap::entry]
fn nested(a: u32) -> Option<impl Display> {
    Some(a)
}

#[expect(clippy::too_many_arguments, reason = "that is what is tested")]
#[hotswap::entry]
fn sixteen(
    a: u8,
    b: u8,
    c: u8,
    d: u8,
    e: u8,
    f: u8,
    g: u8,
    h: u8,
    i: u8,
    j: u8,
    k: u8,
    l: u8,
    m: u8,
    n: u8,
    o: u8,
    p: u8,
) -> u8 {
    a + b + c + d + e + f + g + h + i + j + k + l + m + n + o + p
}

#[hotswap::entry]
fn callback(call: &mut dyn FnMut(&str) -> usize, text: fn(&str) -> &str) -> usize {
    call(text("abc"))
}

#[hotswap::entry]
fn recursive(n: u64) -> u64 {
    if n == 0 { 1 } else { n * recursive(n - 1) }
}

#[hotswap::entry]
fn inner_items() -> u32 {
    #![expect(
        clippy::items_after_statements,
        reason = "inner attributes stay inside"
    )]
    let a = 1;
    static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    fn two() -> u32 {
        2
    }
    COUNT.fetch_add(a, std::sync::atomic::Ordering::Relaxed) + two()
}

#[hotswap::entry]
fn boxed(a: u32) -> Box<dyn Display> {
    if a == 0 {
        return Box::new("zero");
    }
    Box::new(a)
}

#[test]
fn values_and_references_cross() {
    nothing();
    assert_eq!(add(0, 2), 2);
    assert_eq!(add(1, 2), 3);
    assert_eq!(add_untracked(0.5, 2.0), 2.5);
    assert_eq!(longest("ab", "abc"), "abc");
    assert_eq!(first_word("ab cd"), "ab");
    assert_eq!(outlives(&mut vec!["a"], "b"), ["a", "b"]);
    assert_eq!(patterns(State(1), 2, String::new(), (3, [4, 5, 6])), 11);
    // SAFETY: the reference is valid.
    assert_eq!(unsafe { read(&7) }, 7);
    assert_eq!(sixteen(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1), 16);
    assert_eq!(callback(&mut |text| text.len(), |text| &text[1..]), 2);
    assert_eq!(recursive(10), 3_628_800);
    assert_eq!((inner_items(), inner_items()), (2, 3));
    assert_eq!(boxed(0).to_string() + &boxed(1).to_string(), "zero1");
}

#[test]
fn errors_and_panics_cross() {
    assert_eq!(fallible("7").unwrap(), 7);
    assert_eq!(fallible("0").unwrap_err().to_string(), "zero");
    assert!(fallible("x").is_err());
    let panic = std::panic::catch_unwind(|| never("ever")).unwrap_err();
    assert_eq!(panic.downcast_ref::<String>().unwrap(), "never ever");
}

#[test]
fn a_location_is_the_caller_s() {
    let line = line!() + 1;
    assert_eq!(located(1).line(), line);
}

#[test]
fn hidden_types_cross() {
    assert_eq!(even(5).clone().collect::<Vec<_>>(), [0, 2, 4]);
    let odd = odd(&[1, 2]);
    assert_eq!(odd.len(), 2);
    assert_eq!(odd.rev().collect::<Vec<_>>(), [&2, &1]);
    assert_eq!(words("a b").collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(adder(1)(2), 3);
    assert_eq!(trimmer("a")("ab"), "b");
    let mut counter = counter(1);
    assert_eq!((counter(), counter()), (2, 3));
    assert_eq!(once("a".to_owned())("b"), "ab");
    assert_eq!(shown(1).to_string(), "<1>");
    assert_eq!(format!("{:?}", debugged(1)), "Some(1)");
    assert_eq!(format!("{} {:?}", both(1), both(2)), "1 2");
    assert_eq!(nested(1).unwrap().to_string(), "1");
}
