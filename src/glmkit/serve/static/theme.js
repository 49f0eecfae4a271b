"use strict";(()=>{try{let t=localStorage.getItem("glmkit.theme");(t==="dark"||t==="light")&&(document.documentElement.dataset.theme=t);let e=localStorage.getItem("glmkit.language")??
navigator.language;document.documentElement.lang=e.startsWith("zh")?"zh-CN":"en"}catch{}})();
