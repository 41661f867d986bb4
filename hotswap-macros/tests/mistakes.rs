//! What cannot be an entry: one case for each mistake, with its exact message.

#[test]
fn mistakes_are_explained() {
    trybuild::TestCases::new().compile_fail("tests/mistakes/*.rs");
}
