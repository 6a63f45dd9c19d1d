//! Safetensors files, built from the format's own description.

/// A file of this header and data.
pub fn build(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}

/// A file of tensors `(name, dtype, shape, bytes)` in this order, and of `__metadata__`.
pub fn typed(metadata: &[(&str, &str)], list: &[(&str, &str, &[usize], &[u8])]) -> Vec<u8> {
    let (mut header, mut data) = (Vec::new(), Vec::new());
    if !metadata.is_empty() {
        let pairs: Vec<String> = metadata.iter().map(|(key, value)| format!("{key:?}:{value:?}")).collect();
        header.push(format!("\"__metadata__\":{{{}}}", pairs.join(",")));
    }
    for (name, dtype, shape, bytes) in list {
        let start = data.len();
        data.extend_from_slice(bytes);
        let offsets = [start, data.len()];
        header.push(format!(
            "{name:?}:{{\"dtype\":{dtype:?},\"shape\":{shape:?},\"data_offsets\":{offsets:?}}}"
        ));
    }
    build(&format!("{{{}}}", header.join(",")), &data)
}

/// A file of F32 tensors in this order, with the numbers 1, 2, 3, ... through all of them.
pub fn tensors(list: &[(&str, &[usize])]) -> Vec<u8> {
    let mut next = 0.0_f32;
    let bytes: Vec<Vec<u8>> = list
        .iter()
        .map(|(_, shape)| {
            let numbers = (0..shape.iter().product()).map(|_| {
                next += 1.0;
                next.to_le_bytes()
            });
            numbers.flatten().collect()
        })
        .collect();
    let list: Vec<_> =
        list.iter().zip(&bytes).map(|((name, shape), b)| (*name, "F32", *shape, &b[..])).collect();
    typed(&[], &list)
}
