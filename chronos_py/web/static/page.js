// What every page does. Each part is a module of its own; a page may load more of them by its block "modules".

import { keepLive } from "./live.js";
import { sendOnce } from "./once.js";
import { listen } from "./shortcuts.js";
import { offerThemes } from "./theme.js";
import { keepZone, showTimes, tick } from "./times.js";

keepZone();
showTimes(document);
tick();
keepLive();
listen();
sendOnce();
offerThemes();
