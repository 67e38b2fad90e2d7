import LegatoAudio

extension SampleFile {
  /// Writes a sound and its picture under one name.
  static func write(_ audio: AudioBuffer, tag: String, name: String, folder: String) throws -> SampleFile {
    let wav = "\(folder)/\(name).wav"
    let png = "\(folder)/\(name).png"
    let writer = try WAVWriter(
      wav, sampleRate: audio.sampleRate, channels: audio.channelCount, format: .pcm16)
    try writer.append(audio)
    try writer.finish()
    try AudioPicture().write(audio, title: name, to: png)
    return SampleFile(tag: tag, wav: wav, png: png)
  }
}
