//! The functions of a package, with what has to be known to mark one.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use syn::{Attribute, Block, ImplItem, Item, ItemImpl, Signature, Stmt};

use super::sources::{SourceFile, is_test};
use super::verdict;

/// A function with a body.
pub struct Function<'a> {
    /// Its file's number.
    pub file: usize,
    /// The module that it stands in, with the crate's name first.
    pub module: Vec<String>,
    /// The type whose `impl` it stands in.
    pub self_type: Option<String>,
    /// The trait that it implements, by its last name.
    pub of_trait: Option<String>,
    /// Its attributes.
    pub attributes: &'a [Attribute],
    /// Those of the `impl` around it.
    pub outer: &'a [Attribute],
    /// Its head.
    pub signature: &'a Signature,
    /// Its body.
    pub body: &'a Block,
    /// Line in the file, from 1.
    pub line: usize,
    /// The lines of all that belongs to it, from its documentation to the end of its body.
    pub lines: RangeInclusive<usize>,
    /// Where the attribute would stand, in bytes from the beginning of the file.
    pub place: usize,
    /// Whether it is an entry already.
    pub marked: bool,
    /// Why it can't be an entry.
    pub refusal: Option<String>,
}

impl Function<'_> {
    /// Its name.
    pub fn name(&self) -> String {
        self.signature.ident.to_string()
    }

    /// Its path as people say it, without the crate: `server::Handler::run`.
    pub fn path(&self) -> String {
        let mut parts: Vec<&str> = self.module.iter().skip(1).map(String::as_str).collect();
        parts.extend(self.self_type.as_deref());
        let name = self.name();
        parts.push(&name);
        parts.join("::")
    }

    /// Its path with the crate's name.
    pub fn full_path(&self) -> String {
        format!("{}::{}", self.module[0], self.path())
    }
}

/// What a file's names stand for, by `use`: the short name and the path behind it.
pub type Imports = BTreeMap<String, Vec<String>>;

/// Everything that is known of a package's code.
#[derive(Default)]
pub struct Code<'a> {
    /// All functions but those of tests.
    pub functions: Vec<Function<'a>>,
    /// By file.
    pub imports: Vec<Imports>,
    /// The types of fields, by type and field.
    pub fields: BTreeMap<(String, String), String>,
}

impl<'a> Code<'a> {
    /// Reads all files.
    pub fn read(files: &'a [SourceFile]) -> Self {
        let mut code = Self::default();
        for (number, file) in files.iter().enumerate() {
            code.imports.push(Imports::new());
            let mut reader = Reader {
                code: &mut code,
                file: number,
                skipped: file.skipped,
                module: file.module.clone(),
                marked: is_marked(&file.syntax.attrs),
            };
            for item in &file.syntax.items {
                reader.item(item);
            }
        }
        code
    }

    /// Whether any function is marked.
    pub fn has_entry(&self) -> bool {
        self.functions.iter().any(|function| function.marked)
    }
}

struct Reader<'a, 'c> {
    code: &'c mut Code<'a>,
    file: usize,
    skipped: usize,
    module: Vec<String>,
    /// What stands around is marked.
    marked: bool,
}

impl<'a> Reader<'a, '_> {
    fn item(&mut self, item: &'a Item) {
        match item {
            Item::Fn(item) if !is_test(&item.attrs) => {
                let start = start(&item.attrs, item.vis.to_token_stream(), &item.sig);
                let refusal = verdict::function(&item.attrs, &item.sig, None);
                self.function(Parts {
                    attributes: &item.attrs,
                    outer: &[],
                    signature: &item.sig,
                    body: &item.block,
                    start,
                    refusal,
                    head: None,
                    self_type: None,
                });
            }
            Item::Impl(block) if !is_test(&block.attrs) => self.block(block),
            Item::Trait(item) => {
                for default in &item.items {
                    let syn::TraitItem::Fn(method) = default else {
                        continue;
                    };
                    let Some(body) = &method.default else {
                        continue;
                    };
                    self.function(Parts {
                        attributes: &method.attrs,
                        outer: &item.attrs,
                        signature: &method.sig,
                        body,
                        start: start(&method.attrs, TokenStream::new(), &method.sig),
                        refusal: Some(verdict::default_method()),
                        head: None,
                        self_type: Some(item.ident.to_string()),
                    });
                }
            }
            Item::Mod(module) if !is_test(&module.attrs) => {
                let Some((_, items)) = &module.content else {
                    return;
                };
                let name = module.ident.to_string();
                self.module.push(name.trim_start_matches("r#").to_owned());
                let around = self.marked;
                self.marked |= is_marked(&module.attrs);
                for item in items {
                    self.item(item);
                }
                self.marked = around;
                self.module.pop();
            }
            Item::Struct(item) => {
                for (number, field) in item.fields.iter().enumerate() {
                    let field_name = field.ident.as_ref();
                    let field_name = field_name.map_or(number.to_string(), ToString::to_string);
                    if let Some(of) = plain_type(&field.ty) {
                        let key = (item.ident.to_string(), field_name);
                        self.code.fields.insert(key, of);
                    }
                }
            }
            Item::Use(item) => {
                let mut path = Vec::new();
                imports(&item.tree, &mut path, &mut self.code.imports[self.file]);
            }
            _ => {}
        }
    }

    fn block(&mut self, block: &'a ItemImpl) {
        let around = self.marked;
        self.marked |= is_marked(&block.attrs);
        for item in &block.items {
            let ImplItem::Fn(method) = item else { continue };
            if is_test(&method.attrs) {
                continue;
            }
            let mut before = method.vis.to_token_stream();
            method.modifiers.defaultness.to_tokens(&mut before);
            self.function(Parts {
                attributes: &method.attrs,
                outer: &block.attrs,
                signature: &method.sig,
                body: &method.block,
                start: start(&method.attrs, before, &method.sig),
                refusal: verdict::function(&method.attrs, &method.sig, Some(&block.generics)),
                head: Some(block),
                self_type: plain_type(&block.self_ty),
            });
        }
        self.marked = around;
    }

    fn function(&mut self, parts: Parts<'a>) {
        let Parts {
            attributes,
            signature,
            ..
        } = parts;
        let own = attributes.iter().find(|attribute| is_entry(attribute));
        let skipped = own.is_some_and(|own| own.to_token_stream().to_string().contains("skip"));
        let of_trait = parts.head.and_then(|head| head.trait_.as_ref());
        let refusal = match parts.refusal {
            None if self.module.len() == 1
                && signature.ident == "main"
                && parts.self_type.is_none() =>
            {
                Some("it runs once, from the start to the end: mark what it calls".to_owned())
            }
            other => other,
        };
        self.code.functions.push(Function {
            file: self.file,
            module: self.module.clone(),
            self_type: parts.self_type,
            of_trait: of_trait.and_then(|(path, _)| Some(path.segments.last()?.ident.to_string())),
            attributes,
            outer: parts.outer,
            signature,
            body: parts.body,
            line: signature.ident.span().start().line,
            lines: lines(attributes, parts.start, parts.body),
            place: self.skipped + parts.start.byte_range().start,
            marked: !skipped && (own.is_some() || self.marked),
            refusal,
        });
        for statement in &parts.body.stmts {
            if let Stmt::Item(item @ (Item::Fn(_) | Item::Impl(_))) = statement {
                self.item(item);
            }
        }
    }
}

struct Parts<'a> {
    attributes: &'a [Attribute],
    outer: &'a [Attribute],
    signature: &'a Signature,
    body: &'a Block,
    start: Span,
    refusal: Option<String>,
    head: Option<&'a ItemImpl>,
    self_type: Option<String>,
}

/// Where a function begins after its documentation.
fn start(attributes: &[Attribute], before: TokenStream, signature: &Signature) -> Span {
    let first = attributes
        .iter()
        .find(|attribute| !attribute.path().is_ident("doc"));
    if let Some(attribute) = first {
        return attribute.pound_token.span;
    }
    let head = before.into_iter().chain(signature.to_token_stream());
    let mut tokens = head.into_iter();
    tokens
        .next()
        .map_or_else(|| signature.ident.span(), |token| token.span())
}

/// The lines from the first attribute or comment, or from where a function begins, to the end of its body.
fn lines(attributes: &[Attribute], start: Span, body: &Block) -> RangeInclusive<usize> {
    let first = attributes
        .first()
        .map_or(start, |first| first.pound_token.span);
    first.start().line..=body.brace_token.span.close().end().line
}

fn is_marked(attributes: &[Attribute]) -> bool {
    attributes.iter().any(is_entry)
}

/// Whether an attribute is `#[hotswap::entry]`, whatever the crate is called here.
fn is_entry(attribute: &Attribute) -> bool {
    let path = attribute.path();
    path.segments
        .last()
        .is_some_and(|last| last.ident == "entry")
        && path.segments.len() <= 2
}

/// The name of a type through references, smart pointers and results; `None` if there are many.
pub fn plain_type(of: &syn::Type) -> Option<String> {
    /// What a method call looks through, or an `await` or `?` takes off.
    const AROUND: [&str; 11] = [
        "Arc",
        "Box",
        "Mutex",
        "MutexGuard",
        "Option",
        "Pin",
        "Rc",
        "RefCell",
        "Result",
        "RwLock",
        "RefMut",
    ];
    match of {
        syn::Type::Reference(reference) => plain_type(&reference.elem),
        syn::Type::Paren(inner) => plain_type(&inner.elem),
        syn::Type::Path(path) => {
            let last = path.path.segments.last()?;
            let name = last.ident.to_string();
            match &last.arguments {
                syn::PathArguments::AngleBracketed(arguments) if AROUND.contains(&&*name) => {
                    arguments.args.iter().find_map(|argument| match argument {
                        syn::GenericArgument::Type(inner) => plain_type(inner),
                        _ => None,
                    })
                }
                _ => Some(name),
            }
        }
        _ => None,
    }
}

fn imports(tree: &syn::UseTree, path: &mut Vec<String>, found: &mut Imports) {
    let (name, target) = match tree {
        syn::UseTree::Path(part) => {
            path.push(part.ident.to_string());
            imports(&part.tree, path, found);
            path.pop();
            return;
        }
        syn::UseTree::Group(group) => {
            for tree in &group.items {
                imports(tree, path, found);
            }
            return;
        }
        syn::UseTree::Name(name) if name.ident == "self" => {
            (path.last().cloned().unwrap_or_default(), None)
        }
        syn::UseTree::Name(name) => (name.ident.to_string(), Some(name.ident.to_string())),
        syn::UseTree::Rename(rename) => (rename.rename.to_string(), Some(rename.ident.to_string())),
        syn::UseTree::Glob(_) => return,
    };
    found.insert(name, path.iter().cloned().chain(target).collect());
}
