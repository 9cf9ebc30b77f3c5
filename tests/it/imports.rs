//! Who imports whom, file by file: never in a circle.
//!
//! A file imports another when it names something that is defined there. What a `mod.rs` exports of its
//! folder is an import of whoever uses it, not of that `mod.rs`. Unit tests may import what they like.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// A module's path below the crate, such as `["postgres", "copy"]`.
type Module = Vec<String>;

/// What one file defines, imports and exports.
#[derive(Debug, Default)]
struct File {
    path: String,
    defines: BTreeSet<String>,
    /// Names of this file that come from elsewhere, with the paths that bring them.
    brings: BTreeMap<String, Vec<String>>,
    /// Paths that it uses, but for those that it only exports.
    uses: Vec<Vec<String>>,
}

#[test]
fn no_file_imports_itself_through_others() {
    let crate_files = files();
    let edges: BTreeMap<&str, BTreeSet<&str>> = crate_files
        .iter()
        .map(|(module, file)| (file.path.as_str(), imports(&crate_files, module, file)))
        .collect();
    let circles = circles(&edges);
    assert!(
        circles.is_empty(),
        "circles of imports:\n  {}",
        circles.join("\n  ")
    );
}

fn files() -> BTreeMap<Module, File> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(&directory).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                waiting.push(path);
                continue;
            }
            let whole = path.to_string_lossy().into_owned();
            let name = whole.split_once("/src/").unwrap().1.to_owned();
            if name.ends_with("tests.rs") || name.contains("tests/") || !name.ends_with(".rs") {
                continue;
            }
            let mut module: Module = name[..name.len() - 3]
                .split('/')
                .map(str::to_owned)
                .collect();
            if matches!(
                module.last().map(String::as_str),
                Some("mod" | "lib" | "main")
            ) {
                module.pop();
            }
            if name != "main.rs" {
                let text = code(&fs::read_to_string(&path).unwrap());
                found.insert(module, read(name, &text));
            }
        }
    }
    found
}

/// The text without comments, literals and unit tests.
fn code(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['/', '"', '\'']) {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with('"') {
            literal(rest, plain.ends_with(['r', '#']))
        } else if rest.starts_with("'\"'") || rest.starts_with("'\\\"'") {
            rest[1..].find('\'').map_or(1, |end| end + 2)
        } else {
            plain.push_str(&rest[..1]);
            1
        };
        rest = &rest[length..];
    }
    plain.push_str(rest);
    let block = |plain: &str| {
        let mut starts = plain.match_indices("#[cfg(test)]\nmod ");
        starts.find_map(|(at, head)| {
            let line = plain[at + head.len()..].lines().next()?;
            line.ends_with('{').then_some(at)
        })
    };
    while let Some(start) = block(&plain) {
        let end = plain[start..]
            .find("\n}")
            .map_or(plain.len(), |end| start + end + 2);
        plain.replace_range(start..end, "");
    }
    plain
}

/// The length of a literal; a raw one ends at its first quote that is followed by as many signs.
fn literal(text: &str, raw: bool) -> usize {
    let mut escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            '\\' if !raw => escaped = !escaped,
            '"' if !escaped => return at + 1,
            _ => escaped = false,
        }
    }
    text.len()
}

fn read(path: String, text: &str) -> File {
    let mut file = File {
        path,
        ..File::default()
    };
    let mut plain = text.to_owned();
    for start in text.match_indices("use ").map(|(at, _)| at) {
        let line = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let head = text[line..start].trim();
        if !(head.is_empty() || head == "pub" || head.starts_with("pub(") && head.ends_with(')')) {
            continue;
        }
        let Some(end) = text[start..].find(';').map(|end| start + end) else {
            continue;
        };
        let leaves = leaves(&text[start + 4..end]);
        for (names, alias) in leaves {
            let name = alias.or_else(|| names.last().cloned()).unwrap_or_default();
            if head.is_empty() {
                file.uses.push(names.clone());
            }
            file.brings.insert(name, names);
        }
        plain.replace_range(start..end, &" ".repeat(end - start));
    }
    let words: Vec<&str> = plain.split_whitespace().collect();
    for pair in words.windows(2) {
        let kinds = [
            "fn", "struct", "enum", "trait", "type", "const", "static", "union",
        ];
        if kinds.contains(&pair[0]) {
            let name = pair[1].split(|c: char| !(c.is_alphanumeric() || c == '_'));
            file.defines.extend(name.take(1).map(str::to_owned));
        }
    }
    for path in plain.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')) {
        let names: Vec<String> = path.split("::").map(str::to_owned).collect();
        if names.len() > 1 && names.iter().all(|name| !name.is_empty()) {
            let first = file.brings.get(&names[0]).cloned();
            let whole = first.map_or(names.clone(), |first| [&first[..], &names[1..]].concat());
            file.uses.push(whole);
        }
    }
    file
}

/// The paths of a `use` tree, each with the name that it is given.
fn leaves(tree: &str) -> Vec<(Vec<String>, Option<String>)> {
    let mut found = Vec::new();
    let (mut depth, mut part) = (0, String::new());
    let mut parts = Vec::new();
    for letter in tree.chars() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(std::mem::take(&mut part));
                continue;
            }
            _ => {}
        }
        part.push(letter);
    }
    parts.push(part);
    for part in parts.iter().map(|part| part.trim()) {
        if let Some((head, inner)) = part.split_once('{') {
            let head: Vec<String> = names(head.trim().trim_end_matches("::"));
            for (path, alias) in leaves(inner.trim_end().trim_end_matches('}')) {
                found.push(([&head[..], &path[..]].concat(), alias));
            }
        } else if !part.is_empty() {
            let (path, alias) = part.split_once(" as ").unwrap_or((part, ""));
            let mut path = names(path.trim());
            if path.last().is_some_and(|name| name == "self") && path.len() > 1 {
                path.pop();
            }
            found.push((path, (!alias.is_empty()).then(|| alias.trim().to_owned())));
        }
    }
    found
        .into_iter()
        .map(|(mut path, alias)| {
            if path.len() > 1 && path.last().is_some_and(|name| name == "self") {
                path.pop();
            }
            (path, alias)
        })
        .collect()
}

fn names(path: &str) -> Vec<String> {
    path.split("::")
        .map(|name| name.trim().to_owned())
        .collect()
}

/// The files that define what a file uses.
fn imports<'f>(
    files: &'f BTreeMap<Module, File>,
    module: &Module,
    file: &File,
) -> BTreeSet<&'f str> {
    let used = file.uses.iter().filter_map(|path| {
        let whole = absolute(files, module, path)?;
        let (home, rest) = home(files, &whole, 0);
        let other = home != *module && !home.is_empty() && rest > 0;
        files.get(&home).filter(|_| other)
    });
    used.map(|file| file.path.as_str()).collect()
}

/// A path from the crate's root; none: of another crate.
fn absolute(files: &BTreeMap<Module, File>, module: &Module, path: &[String]) -> Option<Module> {
    let mut at = module.clone();
    let mut rest = path;
    while let Some((first, after)) = rest.split_first() {
        match first.as_str() {
            "crate" => at.clear(),
            "self" => {}
            "super" => drop(at.pop()),
            _ if rest.len() < path.len() => break,
            _ => {
                at.push(first.clone());
                files.get(&at)?;
                at.pop();
                break;
            }
        }
        rest = after;
    }
    at.extend(rest.iter().cloned());
    Some(at)
}

/// The module that defines what a path names, and how many names of the path are behind that.
fn home(files: &BTreeMap<Module, File>, path: &Module, hops: usize) -> (Module, usize) {
    let length = (0..=path.len())
        .rev()
        .find(|length| files.contains_key(&path[..*length]))
        .unwrap_or_default();
    let (module, rest) = (path[..length].to_vec(), &path[length..]);
    if let (Some(name), Some(file)) = (rest.first(), files.get(&module))
        && !file.defines.contains(name)
        && hops < 8
        && let Some(target) = file
            .brings
            .get(name)
            .and_then(|path| absolute(files, &module, path))
        && target != *path
    {
        return home(files, &[&target[..], &rest[1..]].concat(), hops + 1);
    }
    (module, rest.len())
}

/// The circles, each as one line; pure depth-first search from each file.
fn circles(edges: &BTreeMap<&str, BTreeSet<&str>>) -> Vec<String> {
    let mut found = BTreeSet::new();
    for start in edges.keys() {
        let mut before: BTreeMap<&str, &str> = BTreeMap::new();
        let mut waiting = vec![*start];
        while let Some(file) = waiting.pop() {
            for next in edges.get(file).into_iter().flatten() {
                if next == start {
                    let mut circle = vec![file];
                    while let Some(previous) = before.get(circle[circle.len() - 1]) {
                        circle.push(previous);
                    }
                    circle.reverse();
                    let first = (0..circle.len()).min_by_key(|at| circle[*at]).unwrap();
                    circle.rotate_left(first);
                    found.insert(circle.join(" -> "));
                } else if !before.contains_key(next) && next != start {
                    before.insert(next, file);
                    waiting.push(next);
                }
            }
        }
    }
    found.into_iter().collect()
}

#[test]
fn the_checks_see_what_they_must() {
    let file = read(
        "a.rs".to_owned(),
        &code(
            "use crate::{b::C, d::{self, E as F}};\npub use x::Y;\nfn f() { d::g(); super::h(\"use z::Z;\"); }\n\
             #[cfg(test)]\nmod unit {\n    use crate::t::T;\n}\n",
        ),
    );
    let used: BTreeSet<String> = file.uses.iter().map(|path| path.join("::")).collect();
    let expected = [
        "crate::b::C",
        "crate::d",
        "crate::d::E",
        "crate::d::g",
        "super::h",
    ];
    assert_eq!(used, expected.map(str::to_owned).into());
    assert!(file.brings.contains_key("F") && file.brings.contains_key("Y"));
    assert!(file.defines.contains("f"));

    let edges = [("a", ["b"]), ("b", ["a"]), ("c", ["a"])];
    let edges = edges.map(|(from, to)| (from, BTreeSet::from(to)));
    assert_eq!(circles(&BTreeMap::from(edges)), ["a -> b"]);
}
