import LegatoAudio

/// A recording made fit for a model: its rate, its channels.
enum PromptAudio {
  static func read(_ path: String, sampleRate: Int, channels: Int) throws -> AudioBuffer {
    let recording = try AudioFile.read(path)
    // Fewer channels first: resampling is the expensive part.
    return try recording.channelCount > channels
      ? recording.converted(toChannels: channels).resampled(to: sampleRate)
      : recording.resampled(to: sampleRate).converted(toChannels: channels)
  }
}
