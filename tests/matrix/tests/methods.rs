//! Methods, with every receiver.

use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

#[derive(Clone, Debug, PartialEq)]
struct Room {
    name: String,
    lines: Vec<String>,
}

fn room() -> Room {
    Room {
        name: "hall".to_owned(),
        lines: vec!["hi".to_owned()],
    }
}

impl Room {
    #[hotswap::entry]
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..room()
        }
    }

    #[hotswap::entry]
    fn name(&self) -> &str {
        &self.name
    }

    #[hotswap::entry]
    fn find<'a>(&'a self, text: &str) -> Option<&'a String> {
        self.lines.iter().find(|line| line.contains(text))
    }

    #[hotswap::entry]
    fn push(&mut self, line: &str) -> &mut Self {
        self.lines.push(line.to_owned());
        self
    }

    #[hotswap::entry]
    fn into_name(self) -> String {
        self.name
    }

    #[hotswap::entry]
    fn renamed(mut self, name: &str) -> Self {
        self.name = name.to_owned();
        self
    }

    #[hotswap::entry]
    fn boxed(mut self: Box<Self>) -> Box<Self> {
        self.lines.clear();
        self
    }

    #[hotswap::entry]
    fn rc(self: Rc<Self>) -> usize {
        Rc::strong_count(&self)
    }

    #[hotswap::entry]
    fn arc(self: &Arc<Self>) -> usize {
        Arc::strong_count(self)
    }

    #[hotswap::entry]
    fn pinned(self: Pin<&mut Self>) -> usize {
        let this = self.get_mut();
        this.lines.push(String::new());
        this.lines.len()
    }

    #[hotswap::entry]
    unsafe fn unchecked(&self, line: usize) -> &str {
        // SAFETY: the caller knows that there is such a line.
        unsafe { self.lines.get_unchecked(line) }
    }

    #[hotswap::entry]
    fn in_macros(&self) -> String {
        macro_rules! twice {
            ($text:expr) => {
                format!("{} {}", $text, self.name)
            };
        }
        let shown = format!(
            "{self} {self:?} {{self}} {name} {}",
            self.name,
            name = self.lines.len()
        );
        struct Inner;
        impl Inner {
            fn one(&self) -> u32 {
                1
            }
        }
        assert!(matches!(self.lines.len(), 1), "{self}");
        let closure = || self.name.len();
        format!(
            "{shown} {} {} {}",
            twice!(self.name),
            Inner.one(),
            closure()
        )
    }

    #[hotswap::entry]
    fn module(&self) -> u32 {
        use self::inner::helper;
        helper() + self::inner::helper() + vec![self::inner::helper()][0]
    }

    #[hotswap::entry]
    fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(|line| line.as_str())
    }
}

mod inner {
    pub(super) fn helper() -> u32 {
        1
    }
}

impl fmt::Display for Room {
    #[hotswap::entry]
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "[{}]", self.name)?;
        Ok(())
    }
}

struct Borrowed<'a> {
    text: &'a str,
}

#[hotswap::entry]
impl<'a> Borrowed<'a> {
    const LEN: usize = 1;

    fn text(&self) -> &'a str {
        self.text
    }

    pub(crate) fn set(&mut self, text: &'a str) {
        self.text = text;
    }

    #[hotswap::entry(skip)]
    fn generic<T: fmt::Display>(&self, t: T) -> String {
        format!("{t}{}", Self::LEN)
    }

    #[hotswap::entry(untracked)]
    fn untracked(&self) -> usize {
        self.text.len()
    }

    async fn later(&self, text: &str) -> String {
        format!("{}{text}", self.text)
    }
}

trait Greet {
    fn greet(&self) -> String;
    fn made() -> Self
    where
        Self: Sized;
}

#[hotswap::entry]
impl Greet for Borrowed<'_> {
    fn greet(&self) -> String {
        format!("hello {}", self.text)
    }

    fn made() -> Self {
        Self { text: "made" }
    }
}

#[hotswap::entry]
mod marked {
    pub(crate) fn one() -> u32 {
        1
    }

    pub(crate) struct Two;

    impl Two {
        pub(crate) fn two(&self) -> u32 {
            one() + 1
        }
    }

    pub(crate) mod deeper {
        pub(crate) fn three() -> u32 {
            super::Two.two() + super::one()
        }
    }
}

#[test]
fn every_receiver_crosses() {
    let mut hall = Room::new("hall");
    assert_eq!(hall.name(), "hall");
    assert_eq!(hall.find("h").unwrap(), "hi");
    assert_eq!(hall.push("a").push("b").lines.len(), 3);
    assert_eq!(hall.lines().collect::<Vec<_>>(), ["hi", "a", "b"]);
    assert_eq!(room().into_name(), "hall");
    assert_eq!(room().renamed("den").name, "den");
    assert_eq!(Box::new(room()).boxed().lines.len(), 0);
    assert_eq!(Rc::new(room()).rc(), 1);
    assert_eq!(Arc::new(room()).arc(), 1);
    assert_eq!(Pin::new(&mut room()).pinned(), 2);
    // SAFETY: there is a line 0.
    assert_eq!(unsafe { hall.unchecked(0) }, "hi");
}

#[test]
fn self_is_itself_in_macros_and_formats() {
    let shown = room().in_macros();
    assert_eq!(
        shown,
        "[hall] Room { name: \"hall\", lines: [\"hi\"] } {self} 1 hall hall hall 1 4"
    );
    assert_eq!(room().module(), 3);
}

#[test]
fn blocks_and_modules_mark_what_is_in_them() {
    let mut borrowed = Borrowed { text: "a" };
    borrowed.set("b");
    assert_eq!(borrowed.text(), "b");
    assert_eq!(borrowed.generic(1), "11");
    assert_eq!(borrowed.untracked(), 1);
    assert_eq!(borrowed.greet(), "hello b");
    assert_eq!(Borrowed::made().text, "made");
    assert_eq!(marked::deeper::three(), 3);
    let later = borrowed.later("c");
    let mut later = std::pin::pin!(later);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert_eq!(
        later.as_mut().poll(&mut context),
        std::task::Poll::Ready("bc".to_owned())
    );
}
