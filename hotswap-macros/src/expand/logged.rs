//! Lines about each call of an entry, for `cargo hotswap patch build --log`.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::visit::{self, Visit};
use syn::{Block, Pat, PatIdent, Path, parse_quote};

use crate::hygiene::local;

/// Names the entries as their descriptors do, parted by commas.
const VARIABLE: &str = "HOTSWAP_LOG";

/// A variable of the body's that an argument becomes.
pub(super) struct Shown {
    /// What the user calls it.
    pub(super) name: String,
    pub(super) variable: Ident,
}

/// The variables that a pattern makes.
pub(super) fn variables(pattern: &Pat) -> Vec<Shown> {
    struct Collector(Vec<Shown>);
    impl<'ast> Visit<'ast> for Collector {
        fn visit_pat_ident(&mut self, pattern: &'ast PatIdent) {
            self.0.push(Shown {
                name: pattern.ident.to_string(),
                variable: pattern.ident.clone(),
            });
            visit::visit_pat_ident(self, pattern);
        }
    }
    let mut collector = Collector(Vec::new());
    collector.visit_pat(pattern);
    collector.0
}

/// The entries of this name whose calls are to be told, of whatever modules.
pub(super) fn chosen(name: &Ident) -> Vec<String> {
    of_name(&std::env::var(VARIABLE).unwrap_or_default(), name)
}

fn of_name(all: &str, name: &Ident) -> Vec<String> {
    let has_name = |path: &&str| path.rsplit("::").next().is_some_and(|last| name == last);
    all.split(',').filter(has_name).map(str::to_owned).collect()
}

/// The body, which first tells of the call if the entry is one of those. In which module it stands only the
/// compiler knows.
pub(super) fn told(
    private: &Path,
    name: &Ident,
    chosen: &[String],
    shown: &[Shown],
    body: &Block,
) -> Block {
    let call = local("__hotswap_call");
    let path: TokenStream = {
        let end = format!("::{name}");
        quote!(::core::concat!(::core::module_path!(), #end))
    };
    let names = shown.iter().map(|shown| &shown.name);
    let variables = shown.iter().map(|shown| &shown.variable);
    parse_quote!({
        let #call = if const { #private::is_among(#path, &[#(#chosen),*]) } {
            #[allow(unused_imports)]
            use #private::{ByDebug as _, ByType as _};
            ::core::option::Option::Some(#private::LoggedCall::begin(
                #path,
                &[#((#names, (&#private::Shown(&#variables)).shown())),*],
            ))
        } else {
            ::core::option::Option::None
        };
        #body
    })
}

#[cfg(test)]
mod tests {
    use quote::format_ident;
    use syn::parse::Parser;

    use super::*;

    #[test]
    fn entries_of_a_name() {
        let all = "web::hello,web::rooms::hello,web::other";
        for (name, expected) in [
            ("hello", &["web::hello", "web::rooms::hello"][..]),
            ("other", &["web::other"]),
            ("ello", &[]),
        ] {
            assert_eq!(of_name(all, &format_ident!("{name}")), expected);
        }
        assert!(of_name("", &format_ident!("hello")).is_empty());
    }

    #[test]
    fn variables_of_patterns() {
        for (pattern, expected) in [
            ("mut name", &["name"][..]),
            ("State(state)", &["state"]),
            ("_", &[]),
            ("(a, Point { x, y: ref z, .. })", &["a", "x", "z"]),
            ("whole @ [first, ..]", &["whole", "first"]),
        ] {
            let pattern = Pat::parse_single.parse_str(pattern).unwrap();
            let names: Vec<_> = variables(&pattern).into_iter().map(|it| it.name).collect();
            assert_eq!(names, expected);
        }
    }
}
