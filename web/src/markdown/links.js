// Addresses in running text. The package that the parser brings for it also finds bare names and mail addresses, which
// in a model's answers are more often files and versions; this stands in its place.

const ADDRESS = /https?:\/\/[^\s<>"'`\u3000-\u303f\uff00-\uff0f\uff1a-\uff20\u2018-\u201d]{1,2000}/gi;
const AT_START = new RegExp(`^(?:${ADDRESS.source})`, "i");

/** An address without the punctuation of the sentence around it. @param {string} url */
function trimmed(url) {
  let end = url.length;
  for (; end > 0; end--) {
    const last = url[end - 1];
    const unopened = last === ")" && url.slice(0, end).split("(").length < url.slice(0, end).split(")").length;
    if (!unopened && !".,;:!?*_~|".includes(last)) break;
  }
  return url.slice(0, end);
}

export class LinkifyIt {
  /** @param {string} text */
  match(text) {
    return [...text.matchAll(ADDRESS)].map((match) => {
      const url = trimmed(match[0]);
      return { schema: "http:", index: match.index, lastIndex: match.index + url.length, raw: url, text: url, url };
    });
  }

  /** @param {string} text */
  test(text) {
    return /https?:/i.test(text);
  }

  /** @param {string} text */
  matchAtStart(text) {
    const match = AT_START.exec(text);
    return match && this.match(match[0])[0];
  }
}
