/** What the browser says about itself. */
export interface Environment {
  origin: string;
  userAgent: string;
  languages: readonly string[];
}

/** "en-GB,en;q=0.9,de;q=0.8": as browsers write it. */
export function acceptLanguage(languages: readonly string[]): string {
  return languages
    .slice(0, 10)
    .map((language, i) => (i === 0 ? language : `${language};q=${Math.max(0.1, 1 - i / 10).toFixed(1)}`))
    .join(",");
}
