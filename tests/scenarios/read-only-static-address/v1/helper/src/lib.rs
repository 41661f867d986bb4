static NOBODY: u32 = 7; // Value.

static TOKENS: [Token; 4] = [Token(1), Token(2), Token(3), Token(4)];
static A: Token = Token(10);
static B: Token = Token(11);
static C: Token = Token(12);
static D: Token = Token(13);

pub struct Token(pub u32);

#[inline(never)]
pub fn nobody() -> &'static u32 {
    // First.
    &NOBODY
}

#[inline(never)]
pub fn is_nobody(one: &u32) -> bool {
    std::ptr::eq(one, &NOBODY)
}

#[inline(never)]
pub fn pick(number: u32) -> &'static Token {
    // Picks.
    match number {
        0 => &A,
        1 => &B,
        2 => &C,
        3 => &D,
        _ => &TOKENS[(number % 4) as usize],
    }
}

#[inline(never)]
pub fn is_picked(number: u32, token: &Token) -> bool {
    let all = [&A, &B, &C, &D];
    std::ptr::eq(all[number as usize], token)
}

pub mod inner {
    #[inline(never)]
    pub fn is_nobody(one: &u32) -> bool {
        std::ptr::eq(one, &super::NOBODY)
    }
}
