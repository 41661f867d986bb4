//! Snapshots of both forms.

use insta::assert_snapshot;
use proc_macro2::TokenStream;

use super::{Form, entry};

fn expand(options: &str, item: &str, form: Form) -> TokenStream {
    let parse = |text: &str| text.parse::<TokenStream>().unwrap();
    entry(parse(options), parse(item), form)
}

/// The hot form, as a formatted file.
fn hot(options: &str, item: &str) -> String {
    let hot = expand(options, item, Form::Hot);
    let file = syn::parse2(hot.clone());
    prettyplease::unparse(&file.unwrap_or_else(|error| panic!("{error}: {hot}")))
}

#[test]
fn the_plain_form_is_what_was_written() {
    for item in [
        "fn f(a: u32,) -> u32 { a }",
        "#[instrument] async fn f<'a>(&'a self, State(s): State<S>) -> impl Iterator + 'a {}",
        "impl Room { fn f(&self) {} #[hotswap::entry(skip)] fn g<T>() {} }",
        "mod m { fn f() { } }",
        "fn f() { syntax of tomorrow }",
    ] {
        let plain = expand("", item, Form::Plain).to_string();
        assert_eq!(plain, item.parse::<TokenStream>().unwrap().to_string());
    }
}

#[test]
fn what_is_skipped_is_what_was_written() {
    let item = "fn f<T>(value: T) {}";
    let hot = expand("skip", item, Form::Hot).to_string();
    assert_eq!(hot, item.parse::<TokenStream>().unwrap().to_string());
}

#[test]
fn a_function() {
    assert_snapshot!(hot(
        "",
        "/// Greets.
        #[inline]
        pub(crate) fn greet(State(mut name): State<&str>, _: u32) -> String {
            #![expect(unused_mut)]
            format!(\"{name}\")
        }"
    ));
}

#[test]
fn an_untracked_method() {
    assert_snapshot!(hot(
        "untracked, crate = my::hotswap",
        "unsafe fn push(mut self: Box<Self>, line: &str) -> usize {
            self.lines.push(line);
            println!(\"{self:?} {{self}} {}\", self.lines.len());
            fn own(self) { self.x }
            self::helper(self)
        }"
    ));
}

#[test]
fn an_async_method() {
    assert_snapshot!(hot(
        "",
        "async fn handle<'a>(&'a mut self, text: &str) -> Result<&'a str, Error> { self.go(text).await }"
    ));
}

#[test]
fn async_functions_of_other_results() {
    assert_snapshot!(
        hot("", "async fn serve() -> ! { loop {} }")
            + &hot(
                "",
                "async fn page(id: u32) -> Option<impl IntoResponse> { page(id) }"
            )
    );
}

#[test]
fn functions_that_return_futures() {
    assert_snapshot!(
        hot(
            "",
            "fn f(a: &str) -> Pin<Box<dyn Future<Output = u32> + Send + '_>> { g(a) }"
        ) + &hot(
            "",
            "fn f(a: &str) -> impl Future<Output = Result<(), E>> + Send { g(a) }"
        )
    );
}

#[test]
fn functions_that_return_closures() {
    assert_snapshot!(
        hot(
            "",
            "fn f<'a>(a: &'a A) -> impl Fn(&str, u32) -> &'a str + Send { |b| a }"
        ) + &hot("", "fn f(&self) -> impl FnMut(Self) { |b| self.a }")
            + &hot("", "fn f() -> impl FnOnce() { || () }")
    );
}

#[test]
fn functions_with_other_hidden_results() {
    assert_snapshot!(
        hot(
            "",
            "fn f() -> impl Iterator<Item = u32> + ExactSizeIterator { [1].into_iter() }"
        ) + &hot(
            "",
            "fn f() -> impl DoubleEndedIterator<Item = u32> { [1].into_iter() }"
        ) + &hot("", "fn f() -> impl Display { 1 }")
            + &hot("", "fn f() -> impl Shape + 'static { 1 }")
    );
}

#[test]
fn a_function_that_never_returns_and_knows_its_caller() {
    assert_snapshot!(hot(
        "",
        "#[track_caller] fn fail(text: &str) -> ! { panic!(\"{}\", core::panic::Location::caller()) }"
    ));
}

#[test]
fn other_macros_come_first() {
    assert_snapshot!(
        hot(
            "untracked",
            "#[instrument(skip_all)] #[inline] async fn f() {}"
        ) + &hot(
            "",
            "#[async_trait] impl Handler for Room { async fn f(&self) {} }"
        )
    );
}

#[test]
fn an_impl_block() {
    assert_snapshot!(hot(
        "",
        "impl<'a> Trait for Room<'a> {
            const LEN: usize = 1;
            type Output = u32;
            fn one(&self) -> u32 { 1 }
            #[get(\"/\")]
            fn two(&self) {}
            #[hotswap::entry(untracked)]
            fn three(&self) {}
            #[hotswap::entry(skip)]
            fn four<T>(&self, value: T) {}
        }"
    ));
}

#[test]
fn a_module() {
    assert_snapshot!(hot(
        "",
        "mod m {
            struct S;
            impl S { fn f(&self) {} }
            #[derive(Debug)]
            enum E {}
            mod deeper { fn g() {} }
            #[cfg(test)]
            #[hotswap::entry(skip)]
            mod tests { fn h<T>() {} }
            #[test]
            fn t() {}
        }"
    ));
}
