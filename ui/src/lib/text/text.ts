// The catalogue in use. Another language is another file like en.ts and a line here; it is chosen
// before the application starts, so that `t` is a constant for every component.
import { en, type Catalogue } from './en';

export const t: Catalogue = en;
