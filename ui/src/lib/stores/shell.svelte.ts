// What of the frame is open.
class Shell {
  palette = $state(false);
  help = $state(false);
  /** The navigation on a phone. */
  drawer = $state(false);

  close(): void {
    this.palette = false;
    this.help = false;
    this.drawer = false;
  }
}

export const shell = new Shell();
