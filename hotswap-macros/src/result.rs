//! How an entry's result crosses: as it is, boxed, or as a future that is counted.

use syn::visit::{self, Visit};
use syn::visit_mut::{self, VisitMut};
use syn::{
    GenericArgument, ParenthesizedGenericArguments, Path, PathArguments, PathSegment, ReturnType,
    Signature, TraitBound, Type, TypeImplTrait, TypeParamBound, parse_quote,
};

/// The form of a result.
pub(crate) enum Crossing {
    /// As it is.
    Plain,
    /// There is none: `!`.
    Never,
    /// An `async fn`, with the output that is written, `()` where none is.
    Async(Box<Type>),
    /// An `async fn` that never ends.
    AsyncNever,
    /// `Pin<Box<dyn Future>>`, as other macros write it.
    PinnedFuture,
    /// `impl Future` with the given output.
    Future(Box<Type>),
    /// `impl Iterator`.
    Iterator { double_ended: bool },
    /// `impl Fn`, `impl FnMut` or `impl FnOnce`, with the bound as written.
    Callable(Kind, Box<TraitBound>),
    /// `impl Display` or `impl Debug`: the name of the box.
    Format(&'static str),
    /// A type of which a part or all is hidden, and that is not boxed.
    Value,
}

/// How a closure is called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Shared,
    Exclusive,
    Once,
}

impl Crossing {
    /// The form for a signature.
    pub(crate) fn of(signature: &Signature) -> Self {
        let output: Type = match &signature.output {
            ReturnType::Default => parse_quote!(()),
            ReturnType::Type(_, output) => (**output).clone(),
        };
        match (signature.asyncness.is_some(), output) {
            (true, Type::Never(_)) => Self::AsyncNever,
            (true, output) => Self::Async(Box::new(output)),
            (false, Type::Never(_)) => Self::Never,
            (false, Type::ImplTrait(hidden)) => Self::of_hidden(&hidden),
            (false, output) if is_pinned_future(&output) => Self::PinnedFuture,
            (false, output) if has_hidden(&output) => Self::Value,
            (false, _) => Self::Plain,
        }
    }

    fn of_hidden(hidden: &TypeImplTrait) -> Self {
        let bounds: Vec<&TraitBound> = hidden.bounds.iter().filter_map(real_bound).collect();
        let names: Vec<String> = bounds
            .iter()
            .filter_map(|bound| name(&bound.path))
            .collect();
        let only = |allowed: &[&str]| names.iter().all(|name| allowed.contains(&name.as_str()));
        match (names.first().map(String::as_str), bounds.first()) {
            (Some("Future"), Some(bound)) if names.len() == 1 => {
                associated(&bound.path, "Output").map_or(Self::Value, Self::Future)
            }
            (Some(_), Some(_)) if only(ITERATORS) => Self::Iterator {
                double_ended: names.iter().any(|name| name == "DoubleEndedIterator"),
            },
            (Some("Display"), _) if names.len() == 1 => Self::Format("DisplayBox"),
            (Some("Debug"), _) if names.len() == 1 => Self::Format("DebugBox"),
            (Some(name), Some(bound)) if names.len() == 1 && call(&bound.path).is_some() => {
                let kind = match name {
                    "Fn" => Kind::Shared,
                    "FnMut" => Kind::Exclusive,
                    "FnOnce" => Kind::Once,
                    _ => return Self::Value,
                };
                Self::Callable(kind, Box::new((*bound).clone()))
            }
            _ => Self::Value,
        }
    }

    /// Whether the type of the result, or a part of it, has no name.
    pub(crate) fn is_hidden(&self) -> bool {
        !matches!(self, Self::Plain | Self::Never | Self::PinnedFuture)
    }

    /// Whether the call is under way for as long as the result is.
    pub(crate) fn is_future(&self) -> bool {
        matches!(
            self,
            Self::Async(_) | Self::AsyncNever | Self::Future(_) | Self::PinnedFuture
        )
    }
}

/// The iterator traits of which a box has as many as what it hides.
const ITERATORS: &[&str] = &[
    "Iterator",
    "DoubleEndedIterator",
    "ExactSizeIterator",
    "FusedIterator",
];

/// The bound, unless it is a lifetime, an auto trait or what is captured.
fn real_bound(bound: &TypeParamBound) -> Option<&TraitBound> {
    let TypeParamBound::Trait(bound) = bound else {
        return None;
    };
    let auto = name(&bound.path).is_some_and(|name| ["Send", "Sync", "Unpin"].contains(&&*name));
    (!auto).then_some(bound)
}

fn name(path: &Path) -> Option<String> {
    Some(path.segments.last()?.ident.to_string())
}

/// The type that `name` is bound to: `T` in `Future<Output = T>`.
fn associated(path: &Path, name: &str) -> Option<Box<Type>> {
    let PathArguments::AngleBracketed(arguments) = &path.segments.last()?.arguments else {
        return None;
    };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::AssocType(binding) if binding.ident == name => {
            Some(Box::new(binding.ty.clone()))
        }
        _ => None,
    })
}

/// The arguments of `Fn(A, B) -> R`.
pub(crate) fn call(path: &Path) -> Option<&ParenthesizedGenericArguments> {
    match &path.segments.last()?.arguments {
        PathArguments::Parenthesized(arguments) => Some(arguments),
        _ => None,
    }
}

/// Whether the type is `Pin<Box<dyn Future<…>>>`, or named like the aliases of it in `futures`.
fn is_pinned_future(output: &Type) -> bool {
    let Some(last) = last_segment(output) else {
        return false;
    };
    if last.ident == "BoxFuture" || last.ident == "LocalBoxFuture" {
        return true;
    }
    let object = (last.ident == "Pin")
        .then(|| argument(last))
        .flatten()
        .and_then(last_segment)
        .filter(|inner| inner.ident == "Box")
        .and_then(argument);
    let Some(Type::TraitObject(object)) = object else {
        return false;
    };
    object.bounds.iter().any(|bound| {
        matches!(bound, TypeParamBound::Trait(bound) if name(&bound.path).as_deref() == Some("Future"))
    })
}

fn last_segment(of: &Type) -> Option<&PathSegment> {
    match of {
        Type::Path(path) => path.path.segments.last(),
        Type::Group(group) => last_segment(&group.elem),
        Type::Paren(paren) => last_segment(&paren.elem),
        _ => None,
    }
}

fn argument(of: &PathSegment) -> Option<&Type> {
    let PathArguments::AngleBracketed(arguments) = &of.arguments else {
        return None;
    };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(argument) => Some(argument),
        _ => None,
    })
}

/// Whether `impl Trait` occurs in the type.
pub(crate) fn has_hidden(of: &Type) -> bool {
    struct Finder(bool);
    impl<'ast> Visit<'ast> for Finder {
        fn visit_type_impl_trait(&mut self, _: &'ast TypeImplTrait) {
            self.0 = true;
        }
    }
    let mut finder = Finder(false);
    finder.visit_type(of);
    finder.0
}

/// The type with `_` in place of each `impl Trait`, which a closure cannot name.
pub(crate) fn nameable(of: &Type) -> Type {
    struct Infer;
    impl VisitMut for Infer {
        fn visit_type_mut(&mut self, of: &mut Type) {
            if matches!(of, Type::ImplTrait(_)) {
                *of = parse_quote!(_);
            }
            visit_mut::visit_type_mut(self, of);
        }
    }
    let mut nameable = of.clone();
    Infer.visit_type_mut(&mut nameable);
    nameable
}

/// The lifetimes that are named in a bound and not declared by it.
pub(crate) fn lifetimes(bound: &TraitBound) -> Vec<syn::Lifetime> {
    struct Finder {
        declared: Vec<syn::Ident>,
        found: Vec<syn::Lifetime>,
    }
    impl<'ast> Visit<'ast> for Finder {
        fn visit_bound_lifetimes(&mut self, node: &'ast syn::BoundLifetimes) {
            for parameter in &node.lifetimes {
                if let syn::GenericParam::Lifetime(parameter) = parameter {
                    self.declared.push(parameter.lifetime.ident.clone());
                }
            }
        }
        fn visit_lifetime(&mut self, node: &'ast syn::Lifetime) {
            let known = self.declared.contains(&node.ident) || self.found.contains(node);
            if !known && node.ident != "static" && node.ident != "_" {
                self.found.push(node.clone());
            }
        }
    }
    let mut finder = Finder {
        declared: Vec::new(),
        found: Vec::new(),
    };
    visit::visit_trait_bound(&mut finder, bound);
    finder.found
}

/// Whether the bound names the type that it stands in, which an item inside cannot.
pub(crate) fn mentions_self(bound: &TraitBound) -> bool {
    struct Finder(bool);
    impl<'ast> Visit<'ast> for Finder {
        fn visit_ident(&mut self, node: &'ast syn::Ident) {
            self.0 |= node == "Self";
        }
    }
    let mut finder = Finder(false);
    finder.visit_trait_bound(bound);
    finder.0
}
