/**
 * What CHANGELOG.md says of `version`; of what is unreleased where the version has no section yet.
 * @param changes the whole of CHANGELOG.md
 * @throws Error where neither section is there
 */
export function notesOf(changes: string, version: string): string {
  const sections = new Map(
    changes
      .split(/^## /m)
      .slice(1)
      .map((section) => {
        const end = section.indexOf("\n");
        return [section.slice(0, end).split(" ")[0] ?? "", section.slice(end).trim()];
      }),
  );
  const notes = sections.get(version) ?? sections.get("Unreleased");
  if (notes === undefined || notes === "") throw new Error(`CHANGELOG.md says nothing of ${version}: add a section.`);
  return `${notes}\n`;
}
