//! A picture: an SVG that stands in the page and in a file of its own.

/// An SVG with a title and a description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Name of the file without its ending.
    file: String,
    size: (u32, u32),
    /// Title, description and drawing.
    body: String,
}

/// What readers of a file see that has no page around it: dark where they like it so.
const STYLE: &str = "svg{color:#1b1b1b;background:#fff}text{fill:currentColor}\
    [stroke=\"#000000\"]{stroke:currentColor}polygon[fill=\"#000000\"]{fill:currentColor}\
    @media(prefers-color-scheme:dark){svg{color:#e8e8e8;background:#16181c}}";

impl Picture {
    /// A picture of a drawing: an SVG with its outermost tag, or what stands inside that.
    pub(super) fn new(file: &str, title: &str, description: &str, size: (u32, u32), drawing: &str) -> Self {
        let drawing = drawing.trim();
        let inside = match drawing.strip_prefix("<svg").and_then(|rest| rest.split_once('>')) {
            Some((_, inside)) => inside.trim_end_matches("</svg>").trim(),
            None => drawing,
        };
        let body = maud::html! {
            title id={ (file) "-title" } { (title) }
            desc id={ (file) "-desc" } { (description) }
            (maud::PreEscaped(inside))
        };
        Self { file: file.to_owned(), size, body: body.into_string() }
    }

    /// Name of its file.
    pub fn file(&self) -> String {
        format!("{}.svg", self.file)
    }

    /// Whether it is a heat map.
    pub(super) fn is_map(&self) -> bool {
        self.file.contains("-map-")
    }

    /// As it stands in the page.
    pub(super) fn inline(&self) -> maud::PreEscaped<String> {
        maud::PreEscaped(self.svg("", ""))
    }

    /// As a file.
    pub fn standalone(&self) -> String {
        let style = format!("<style>{STYLE}</style>");
        self.svg(" xmlns=\"http://www.w3.org/2000/svg\"", &style) + "\n"
    }

    fn svg(&self, namespace: &str, style: &str) -> String {
        let Self { file, size: (width, height), body } = self;
        format!(
            "<svg{namespace} viewBox=\"0 0 {width} {height}\" role=\"img\" \
             aria-labelledby=\"{file}-title {file}-desc\">{style}{body}</svg>"
        )
    }
}

/// A number in few characters.
pub(super) fn number(x: f64) -> String {
    let text = match x.abs() {
        0.0 => return "0".to_owned(),
        1e-3..1e5 => format!("{x:.4}"),
        _ => {
            let text = format!("{x:.2e}");
            return match text.split_once('e') {
                Some((digits, exponent)) if digits.contains('.') => {
                    format!("{}e{exponent}", digits.trim_end_matches('0').trim_end_matches('.'))
                }
                _ => text,
            };
        }
    };
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
