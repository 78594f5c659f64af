//! The dashboard's files, embedded; it does not know how they are served nor what they ask for.
#![forbid(unsafe_code)]

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// One file of the built dashboard.
#[derive(Debug)]
pub struct Asset {
    /// The file as Vite wrote it.
    pub bytes: &'static [u8],
    /// The same in gzip, where that is shorter.
    pub gzip: Option<&'static [u8]>,
    /// Value of the `Content-Type` header.
    pub content_type: &'static str,
    /// Value of the `ETag` header: weak, one for both encodings.
    pub etag: &'static str,
    /// True where the name holds a hash of the content, so that it may be cached for ever.
    pub immutable: bool,
}

/// The tag in `index.html` that every other URL of the dashboard is relative to.
const BASE: &[u8] = b"<base href=\"./\" />";

const INDEX: &str = "index.html";

/// The file at `path`: relative, without a leading slash, as in `assets/index-Cz3.js`.
pub fn asset(path: &str) -> Option<&'static Asset> {
    let found = ASSETS.binary_search_by(|(name, _)| (*name).cmp(path)).ok()?;
    ASSETS.get(found).map(|(_, asset)| asset)
}

/// The page itself, as served at the dashboard's root.
pub fn index() -> &'static Asset {
    static NONE: Asset = Asset {
        bytes: b"",
        gzip: None,
        content_type: "text/html; charset=utf-8",
        etag: "W/\"0\"",
        immutable: false,
    };
    // The build script refuses a dist without index.html.
    asset(INDEX).unwrap_or(&NONE)
}

/// The page for a URL `depth` folders below the dashboard's root: 1 for `/nodes/`, and for
/// `/nodes/a`; 0 is the root. Its `<base>` leads back up, whatever prefix a proxy puts before.
pub fn index_at(depth: usize) -> Vec<u8> {
    let page = index().bytes;
    let Some(at) = page.windows(BASE.len()).position(|window| window == BASE) else {
        return page.to_vec();
    };
    let up = if depth == 0 { "./".to_owned() } else { "../".repeat(depth) };
    let (before, after) = (page.get(..at), page.get(at + BASE.len()..));
    [
        before.unwrap_or_default(),
        format!("<base href=\"{up}\" />").as_bytes(),
        after.unwrap_or_default(),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of gzip that a browser loads before it draws the first page.
    const FIRST_LOAD: usize = 120 * 1024;

    /// Text that looks like a URL and is never fetched: XML namespaces, links in error messages.
    const NAMES: &[&str] = &["http://www.w3.org/", "https://svelte.dev/e/"];

    fn page() -> &'static str {
        std::str::from_utf8(index().bytes).unwrap()
    }

    /// The relative URLs in `href` and `src` of the page, its base left out.
    fn referenced() -> Vec<&'static str> {
        page()
            .split(['\n', '<'])
            .filter(|tag| !tag.starts_with("base "))
            .flat_map(|tag| {
                ["href=\"", "src=\""].into_iter().filter_map(move |name| {
                    tag.split_once(name).and_then(|(_, rest)| rest.split('"').next())
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
            assert!(!asset.bytes.is_empty(), "{path}");
            assert!(asset.etag.starts_with("W/\"") && asset.etag.ends_with('"'), "{path}");
        }
    }

    #[test]
    fn the_base_leads_back_to_the_root() {
        fn check(depth: usize, base: &str) {
            let page = String::from_utf8(index_at(depth)).unwrap();
            assert!(page.contains(&format!("<base href=\"{base}\" />")), "{page}");
            assert_eq!(page.matches("<base ").count(), 1);
        }
        check(0, "./");
        check(1, "../");
        check(3, "../../../");
        assert_eq!(index_at(0), index().bytes);
    }

    #[test]
    fn nothing_is_loaded_from_elsewhere() {
        for (path, asset) in ASSETS {
            if !asset.content_type.contains("charset") || asset.content_type.contains("markdown") {
                continue;
            }
            let text = std::str::from_utf8(asset.bytes).unwrap();
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

    #[test]
    fn the_first_load_is_small() {
        let size: usize = referenced()
            .into_iter()
            .filter_map(|url| asset(url.trim_start_matches("./")))
            .map(|asset| asset.gzip.unwrap_or(asset.bytes).len())
            .sum();
        assert!(size <= FIRST_LOAD, "{size} bytes");
    }
}
