//! The dashboard's files, embedded; it does not know how they are served nor what they ask for.
#![forbid(unsafe_code)]

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// A file's bytes: once, for they are a good part of the program.
#[derive(Debug, Clone, Copy)]
pub enum Content {
    /// As Vite wrote it: the page itself, and what gzip does not make shorter.
    Plain(&'static [u8]),
    /// The same in gzip.
    Gzip(&'static [u8]),
}

/// One file of the built dashboard.
#[derive(Debug)]
pub struct Asset {
    /// The file.
    pub content: Content,
    /// Value of the `Content-Type` header.
    pub content_type: &'static str,
    /// Value of the `ETag` header, quoted; one for both encodings.
    pub etag: &'static str,
    /// True where the name holds a hash of the content, so that it may be cached for ever.
    pub immutable: bool,
}

/// After this tag of `index.html` goes the base that its relative URLs start from.
const HEAD: &[u8] = b"<head>";

const INDEX: &str = "index.html";

/// The file at `path`: relative, without a leading slash, as in `assets/index-Cz3.js`.
pub fn asset(path: &str) -> Option<&'static Asset> {
    let found = ASSETS.binary_search_by(|(name, _)| (*name).cmp(path)).ok()?;
    ASSETS.get(found).map(|(_, asset)| asset)
}

/// The page itself, as served at the dashboard's root.
pub fn index() -> &'static Asset {
    static NONE: Asset = Asset {
        content: Content::Plain(b""),
        content_type: "text/html; charset=utf-8",
        etag: "\"0\"",
        immutable: false,
    };
    // The build script refuses a dist without index.html, and keeps that as it is.
    asset(INDEX).unwrap_or(&NONE)
}

/// The page for a URL `depth` folders below the dashboard's root: 1 for `/nodes/` and for
/// `/nodes/a`; at 0 it is `index()`. Its `<base>` leads back up, whatever prefix a proxy puts
/// before, so the Content-Security-Policy of such a page needs `base-uri 'self'`.
pub fn index_at(depth: usize) -> Vec<u8> {
    let Content::Plain(page) = index().content else { return Vec::new() };
    let head = page.windows(HEAD.len()).position(|window| window == HEAD);
    let (Some(head), 1..) = (head, depth) else { return page.to_vec() };
    let (before, after) = page.split_at(head + HEAD.len());
    let base = format!("<base href=\"{}\">", "../".repeat(depth));
    [before, base.as_bytes(), after].concat()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;

    use super::*;

    /// Bytes of gzip that a browser loads before it draws the first page.
    const FIRST_LOAD: usize = 150 * 1024;

    /// Text that looks like a URL and is never fetched: XML namespaces, links in error messages.
    const NAMES: &[&str] = &["http://www.w3.org/", "https://svelte.dev/e/"];

    fn page() -> String {
        String::from_utf8(index_at(0)).unwrap()
    }

    /// The file as Vite wrote it.
    fn plain(asset: &Asset) -> Vec<u8> {
        match asset.content {
            Content::Plain(bytes) => bytes.to_vec(),
            Content::Gzip(packed) => {
                let mut bytes = Vec::new();
                GzDecoder::new(packed).read_to_end(&mut bytes).unwrap();
                bytes
            }
        }
    }

    /// The relative URLs in `href` and `src` of the page.
    fn referenced() -> Vec<String> {
        page()
            .split(['\n', '<'])
            .flat_map(|tag| {
                ["href=\"", "src=\""].into_iter().filter_map(move |name| {
                    tag.split_once(name)
                        .and_then(|(_, rest)| rest.split('"').next().map(str::to_owned))
                })
            })
            .collect()
    }

    #[test]
    fn the_page_and_what_it_references_exist() {
        assert!(page().contains("<div id=\"app\">"), "{}", page());
        let referenced = referenced();
        assert!(referenced.len() >= 3, "script, style and icon: {referenced:?}");
        for url in referenced {
            let path = url.strip_prefix("./").unwrap_or_else(|| panic!("{url} is not relative"));
            assert!(asset(path).is_some(), "{path} is missing");
        }
        assert!(asset("nothing").is_none());
    }

    #[test]
    fn hashed_files_are_immutable_and_the_page_is_not() {
        assert!(!index().immutable);
        for (path, asset) in ASSETS {
            assert_eq!(asset.immutable, path.starts_with("assets/"), "{path}");
            assert!(!plain(asset).is_empty(), "{path}");
            assert!(asset.etag.starts_with('"') && asset.etag.ends_with('"'), "{path}");
        }
    }

    #[test]
    fn the_base_leads_back_to_the_root() {
        fn check(depth: usize, base: &str) {
            let page = String::from_utf8(index_at(depth)).unwrap();
            assert!(page.contains(&format!("<head><base href=\"{base}\">")), "{page}");
        }
        check(1, "../");
        check(3, "../../../");
        assert!(!page().contains("<base"));
    }

    #[test]
    fn nothing_is_loaded_from_elsewhere() {
        for (path, asset) in ASSETS {
            if !asset.content_type.contains("charset") || asset.content_type.contains("markdown") {
                continue;
            }
            let text = String::from_utf8(plain(asset)).unwrap();
            for scheme in ["http://", "https://"] {
                for (at, _) in text.match_indices(scheme) {
                    let url = text.get(at..).unwrap_or_default();
                    let shown: String = url.chars().take(60).collect();
                    assert!(NAMES.iter().any(|name| url.starts_with(name)), "{path}: {shown}");
                }
            }
        }
    }

    #[test]
    fn nothing_inline_needs_a_wider_content_security_policy() {
        for tag in page().split('<') {
            assert!(!tag.starts_with("style"), "{tag}");
            assert!(!tag.contains(" style="), "{tag}");
            assert!(!tag.starts_with("script") || tag.contains(" src="), "{tag}");
        }
    }

    /// Files that a script imports before it runs: `import{a}from"./b.js"` and `import"./b.js"`.
    fn imports(code: &str) -> Vec<String> {
        let statements = code.split(['\n', ';']).filter(|part| part.starts_with("import"));
        statements
            .filter(|statement| !statement.starts_with("import("))
            .filter_map(|statement| statement.split('"').nth(1))
            .map(|path| format!("assets/{}", path.trim_start_matches("./")))
            .collect()
    }

    #[test]
    fn the_first_load_is_small() {
        // Besides what the page names, what its scripts import at once; pages and languages are
        // loaded when they are asked for.
        let mut first: Vec<String> =
            referenced().iter().map(|url| url.trim_start_matches("./").to_owned()).collect();
        let mut at = 0;
        while at < first.len() {
            let code = asset(&first[at]).map(|asset| String::from_utf8(plain(asset)).unwrap());
            at += 1;
            for imported in imports(&code.unwrap_or_default()) {
                if !first.contains(&imported) {
                    first.push(imported);
                }
            }
        }
        assert!(first.len() > 5, "{first:?}");
        let size: usize = first
            .iter()
            .filter_map(|path| asset(path))
            .map(|asset| match asset.content {
                Content::Plain(bytes) | Content::Gzip(bytes) => bytes.len(),
            })
            .sum();
        assert!(size <= FIRST_LOAD, "{size} bytes");
    }
}
