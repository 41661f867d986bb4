//! Whether a function can be an entry: the rules of `#[hotswap::entry]`, which would say no.

use syn::visit::{self, Visit};
use syn::{Attribute, FnArg, GenericParam, Generics, Signature, TypeImplTrait};

/// As many arguments as an entry takes, with the receiver and a caller's location.
const MOST_ARGUMENTS: usize = 16;

/// Why a function can't be an entry, if it can't; `block` is the generics of the `impl` around it.
pub fn function(
    attributes: &[Attribute],
    signature: &Signature,
    block: Option<&Generics>,
) -> Option<String> {
    let refusal = if signature.constness.is_some() {
        "it is `const`, so its calls may be evaluated when the program is compiled".to_owned()
    } else if foreign(signature) {
        "it is `extern`, so foreign code holds its address: let it call an entry".to_owned()
    } else if signature.variadic.is_some() {
        "it takes a variable number of arguments".to_owned()
    } else if let Some(parameter) = parameter(&signature.generics) {
        format!("it is generic over `{parameter}`: let it call one that takes concrete types")
    } else if let Some(parameter) = block.and_then(parameter) {
        format!(
            "its `impl` is generic over `{parameter}`: let it call one that takes concrete types"
        )
    } else if takes_impl_trait(signature) {
        "it takes `impl Trait`, which makes it generic: take a concrete type or `&dyn Trait`"
            .to_owned()
    } else if conditional_argument(signature) {
        "one of its arguments is conditional".to_owned()
    } else if arguments(attributes, signature) > MOST_ARGUMENTS {
        format!("it takes more than {MOST_ARGUMENTS} arguments: take a struct")
    } else {
        return None;
    };
    Some(refusal)
}

/// Why a method that a trait brings can't be one.
pub fn default_method() -> String {
    "it is a trait's default method, generic over the type that implements it: let it call an entry"
        .to_owned()
}

fn foreign(signature: &Signature) -> bool {
    let abi = signature.abi.as_ref();
    abi.is_some_and(|abi| abi.name.as_ref().is_none_or(|name| name.value() != "Rust"))
}

/// The first parameter that makes for several instances.
fn parameter(generics: &Generics) -> Option<String> {
    generics
        .params
        .iter()
        .find_map(|parameter| match parameter {
            GenericParam::Type(parameter) => Some(parameter.ident.to_string()),
            GenericParam::Const(parameter) => Some(parameter.ident.to_string()),
            GenericParam::Lifetime(_) => None,
        })
}

fn arguments(attributes: &[Attribute], signature: &Signature) -> usize {
    let tracks = attributes
        .iter()
        .any(|attribute| attribute.path().is_ident("track_caller"));
    signature.inputs.len() + usize::from(tracks)
}

fn conditional_argument(signature: &Signature) -> bool {
    signature.inputs.iter().any(|argument| {
        let (FnArg::Receiver(syn::Receiver { attrs, .. })
        | FnArg::Typed(syn::PatType { attrs, .. })) = argument;
        attrs.iter().any(|attribute| {
            attribute.path().is_ident("cfg") || attribute.path().is_ident("cfg_attr")
        })
    })
}

fn takes_impl_trait(signature: &Signature) -> bool {
    struct Finder(bool);
    impl<'ast> Visit<'ast> for Finder {
        fn visit_type_impl_trait(&mut self, node: &'ast TypeImplTrait) {
            self.0 = true;
            visit::visit_type_impl_trait(self, node);
        }
    }
    let mut finder = Finder(false);
    for argument in &signature.inputs {
        finder.visit_fn_arg(argument);
    }
    finder.0
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::functions::Code;
    use super::super::sources::SourceFile;

    /// The attribute's own tests hold one file for each mistake: what it refuses there is refused
    /// here, before anything is written.
    #[test]
    fn what_the_attribute_refuses_is_not_offered() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../hotswap-macros/tests/mistakes");
        let about_functions = [
            "conditional_argument",
            "const_function",
            "extern_function",
            "generic_function",
            "generic_impl",
            "generic_method_in_impl",
            "generic_things_in_module",
            "impl_trait_argument",
            "too_many_arguments",
            "trait_definition",
            "variadic_function",
        ];
        for name in about_functions {
            let path = folder.join(name).with_extension("rs");
            let text = std::fs::read_to_string(&path).unwrap();
            let file = SourceFile {
                syntax: syn::parse_file(&text).unwrap(),
                path,
                text,
                skipped: 0,
                module: vec!["mistake".to_owned()],
            };
            let files = [file];
            let code = Code::read(&files);
            let main = |name: &str| name == "main";
            let refused = code
                .functions
                .iter()
                .filter(|function| !main(&function.name()) && function.refusal.is_some());
            assert!(refused.count() > 0, "{name}");
        }
    }
}
