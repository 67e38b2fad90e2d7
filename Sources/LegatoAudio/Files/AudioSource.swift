/// A decoder of one kind of file, read in blocks.
protocol AudioSource: AnyObject {
  var sampleRate: Int { get }
  var channels: Int { get }
  /// Frames in the file; nil when its length is not known before the end.
  var frames: Int? { get }
  /// False when ``frames`` is computed from a duration.
  var framesAreExact: Bool { get }
  /// Short name of container and encoding.
  var format: String { get }

  /// Up to `count` next frames, planar; fewer only at the end, where the planes are empty.
  func read(_ count: Int) throws -> [[Float]]
  /// Moves to a frame.
  func seek(to frame: Int) throws
}
